"""Who sends a request. On this machine a name is enough; beyond it, an invitation or an account (OIDC) is needed."""

import json
from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st
from sqlalchemy import Engine

from feedback.people.decisions import role_of
from feedback.people.invitations import read_invitation
from feedback.rate.raters import clean_name
from store.errors import BadRequest, NotSignedIn
from store.settings import Settings
from store.tables import PersonRole
from store.texts import name_key
from ui.web.process import engine, settings

COOKIE = "naysayer_invitation"


class Person(NamedTuple):
    """Somebody who may use the pages. The name is empty on this machine; there the rating page asks for it."""

    name: str
    role: PersonRole


LOCAL = Person("", PersonRole.admin)
MAY_OPEN = {
    PersonRole.rater: ("Rate",),
    PersonRole.curator: ("Rate", "Overview", "Pool"),
    PersonRole.admin: ("Rate", "Overview", "Pool", "Versions", "Raters", "Playground", "Sort", "Setup"),
}
"""The pages of each role; no other page is served."""


def identify(engine: Engine, settings: Settings, cookies: Mapping[str, str], email: str = "") -> Person:
    """The person behind a request, by its cookies, or by the account's address where there is one.

    Raises NotSignedIn without either.
    """
    if settings.sign_in == "name":
        return LOCAL
    if email:
        name, key = _name_of(email), name_key(email)
        # Else a Kelvin sign would pass for the letter K of another address, and get that one's role.
        if key != email.strip().lower() or key.isascii() is not email.isascii():
            raise NotSignedIn("your account's address has letters that another address may share; use a plain one")
        is_admin = name.lower() in {one.strip().lower() for one in settings.admins.split(",") if one.strip()}
        return Person(name, PersonRole.admin if is_admin else role_of(engine, name))
    if token := cookies.get(COOKIE):
        row = read_invitation(engine, token, secret=settings.secret)
        return Person(row.name, role_of(engine, row.name))
    raise NotSignedIn("sign in first: open your invitation link, or press Sign in")


def _name_of(email: str) -> str:
    try:
        return clean_name(email)
    except BadRequest as error:
        raise NotSignedIn(
            f"your account's address cannot be a rater's name, so use another account; {error}"
        ) from error


def read_email(cookies: Mapping[str, str], settings: Settings) -> str:
    """The verified address in Streamlit's signed cookie; empty without an account.

    Raises NotSignedIn for an account without such an address, unless there is an invitation too.
    """
    if settings.sign_in != "oidc" or "_streamlit_user" not in cookies:
        return ""
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    def read(name: str) -> bytes | None:
        return decode_signed_value(settings.secret, name, cookies[name]) if name in cookies else None

    claims = get_cookie_with_chunks(read, "_streamlit_user")  # in several cookies where one would be too long
    email = verified_email(json.loads(claims)) if claims else ""
    if claims and not email and COOKIE not in cookies:
        raise NotSignedIn(
            "your account has no e-mail address that its provider calls verified; have it verified there, or use "
            "another account, then sign in again"
        )
    return email


def verified_email(claims: Mapping[str, object]) -> str:
    """The address of an account; empty when the provider says that it is not verified."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified", True) in (True, "true") else ""


class Viewer(NamedTuple):
    """What the browser of a page's viewer said when it connected."""

    cookies: Mapping[str, str]
    email: str


def this_viewer() -> Viewer:
    """The viewer of the page that is being drawn."""
    email = ""
    if settings().sign_in == "oidc" and st.user.is_logged_in:
        email = verified_email(st.user.to_dict())
    return Viewer(st.context.cookies.to_dict(), email)


def identify_viewer(viewer: Viewer | None = None) -> Person:
    """The person who views this page, or viewed it. Raises NotSignedIn."""
    return identify(engine(), settings(), *(viewer or this_viewer()))


def viewer_name() -> str:
    """The name that the history gives for what is decided on a page."""
    return identify_viewer().name or "this machine"
