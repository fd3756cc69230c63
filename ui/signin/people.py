"""Who is at the screen. On this machine a name is enough; beyond it an invitation or an account (OIDC) is asked for."""

import json
from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st
from sqlalchemy import Engine

from feedback.people.decisions import role_of
from feedback.people.invitations import invited
from feedback.rate.raters import clean_name
from store.errors import NotSignedIn
from store.settings import Settings
from store.tables import PersonRole
from ui.web.process import engine, settings

COOKIE = "naysayer_invitation"


class Person(NamedTuple):
    """Somebody who may use the pages; the name is empty on this machine, where the rating page asks for it."""

    name: str
    role: PersonRole


LOCAL = Person("", PersonRole.admin)
MAY_OPEN = {
    PersonRole.rater: ("Rate",),
    PersonRole.curator: ("Rate", "Overview", "Pool"),
    PersonRole.admin: ("Rate", "Overview", "Pool", "Versions", "Raters", "Playground"),
}
"""The pages of each role; one that is not listed is not served."""


def person_of(engine: Engine, settings: Settings, cookies: Mapping[str, str], email: str = "") -> Person:
    """The person behind a request, from its cookies, or from the account's address where there is one.

    Raises NotSignedIn when there is nobody.
    """
    if settings.sign_in == "name":
        return LOCAL
    if email:
        name = clean_name(email)
        is_admin = name.lower() in {one.strip().lower() for one in settings.admins.split(",") if one.strip()}
        return Person(name, PersonRole.admin if is_admin else role_of(engine, name))
    if token := cookies.get(COOKIE):
        row = invited(engine, token, secret=settings.secret)
        return Person(row.name, role_of(engine, row.name))
    raise NotSignedIn("sign in first: open your invitation link, or the page's Sign in")


def email_in(cookies: Mapping[str, str], settings: Settings) -> str:
    """The verified address in Streamlit's own signed sign-in cookie; empty without one."""
    if settings.sign_in != "oidc" or "_streamlit_user" not in cookies:
        return ""
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    signed = decode_signed_value(settings.secret, "_streamlit_user", cookies["_streamlit_user"])
    if signed is None:
        return ""
    return address_of(json.loads(signed))


def address_of(claims: Mapping[str, object]) -> str:
    """The address of an account; empty where the provider says that it was not verified."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified", True) in (True, "true") else ""


def at_screen() -> Person:
    """The person who looks at this page. Raises NotSignedIn."""
    email = ""
    if settings().sign_in == "oidc" and st.user.is_logged_in:
        email = address_of(st.user.to_dict())
    return person_of(engine(), settings(), st.context.cookies, email)


def acting() -> str:
    """The name for the history of what is decided on a page."""
    return at_screen().name or "this machine"


def sign_in_page() -> None:
    """What somebody sees who is not signed in."""
    st.html('<h1 class="ns-title">Naysayer</h1>')
    try:
        at_screen()
    except NotSignedIn as error:
        st.text(str(error)[0].upper() + str(error)[1:] + ".")
    if settings().sign_in == "oidc" and st.button("Sign in", type="primary"):
        st.login()
