"""Invitations: make a link for a person, copy it while it is shown, revoke it."""

from functools import partial
from typing import NamedTuple

import streamlit as st

from feedback.people.invitations import (
    LONGEST_DAYS,
    InvitationState,
    invite,
    link_of,
    list_invitations,
    revoke_invitations,
    role_to_lose,
    state_of,
)
from store.errors import NaysayerError
from store.phrases import plural
from store.secrets import find_fault
from store.settings import Settings
from store.tables import Invitation, PersonRole
from ui.dashboard.setup.desk import PAGE, about, act, ask, engine, refuse
from ui.dashboard.setup.rows import numbers_of, show_rows
from ui.signin.powers import dialog
from ui.web.pieces import data_line
from ui.web.process import settings
from ui.words import CLOSED

INVITED = "invited"
ROLES = {
    PersonRole.rater: "rater: rates pictures",
    PersonRole.curator: "curator: also looks after the pool",
    PersonRole.admin: "admin: may do everything",
}


class Invited(NamedTuple):
    """A link that is shown once."""

    name: str
    role: PersonRole
    link: str


def show_invitations() -> None:
    """The whole part."""
    about("A link lets one named person in without an account, until it expires or you revoke it.")
    if why := closed_words(settings()):
        st.html(data_line(why))
    else:
        _show_form()
    _show_link()
    _show_list(list_invitations(engine()))


def closed_words(settings: Settings) -> str:
    """Why no link can be made, and what to do; empty when one can."""
    fault = find_fault("NAYSAYER_SECRET", settings.secret)
    if not fault:
        return ""
    if settings.sign_in == "name":
        return (
            "Nobody needs an invitation now: everybody at this machine may do everything. To let others in, start the "
            "pages with NAYSAYER_SIGN_IN=invitations, NAYSAYER_SECRET and NAYSAYER_PUBLIC_URL."
        )
    return f"No link can be signed: {fault}."


def _show_form() -> None:
    with st.form("invite", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", max_chars=80, placeholder="shown beside the votes", width=240)
        role = st.selectbox("Role", list(ROLES), format_func=ROLES.__getitem__, width=290)
        days = st.number_input("Good for days", 1, LONGEST_DAYS, 7, step=1, width=140)
        is_pressed = st.form_submit_button("Make a link", type="primary")
    if not is_pressed:
        return
    if not name.strip():
        refuse("write the person's name first; no link was made")
    try:
        loses = role_to_lose(engine(), name, role)
    except NaysayerError as error:
        refuse(str(error))
    if loses is None:
        act(partial(_invite, name, role, int(days)))
    else:
        _confirm_role((name, loses, role), int(days))


def _invite(name: str, role: PersonRole, days: int) -> list[str]:
    token = invite(engine(), name, days=days, secret=settings().secret, role=role)
    st.session_state[INVITED] = Invited(" ".join(name.split()), role, link_of(settings(), token))
    return []


@dialog(PAGE, "Another role")
def _confirm_role(change: tuple[str, PersonRole, PersonRole], days: int) -> None:
    name, loses, role = change
    st.text(f"{name} is {loses.value} now. The invitation makes {name} {role.value}, at once and on every open page.")
    ask("Make the link", partial(_invite, name, role, days))


def _show_link() -> None:
    invited = st.session_state.get(INVITED)
    if invited is None:
        return
    closed = f"But {CLOSED}." if settings().sign_in == "name" else ""
    pressed = show_rows("link", "link.html", invited=invited, closed=closed)
    if pressed is not None:
        del st.session_state[INVITED]
        st.rerun()


def _show_list(rows: list[Invitation]) -> None:
    good = sum(state_of(row) is InvitationState.good for row in rows)
    if rows:
        st.html(data_line(f"{plural(good, 'invitation')} good", f"{len(rows) - good} expired or revoked"))
    pressed = show_rows("invitations", "invitations.html", rows=rows, state_of=state_of)
    if pressed is None:
        return
    chosen = [row.name for row in rows if row.id in numbers_of(pressed)]
    if chosen:
        _confirm_revoking(
            chosen[0], sum(row.name == chosen[0] and state_of(row) is InvitationState.good for row in rows)
        )
    else:
        act(lambda: ["that invitation is not in the list any more"])


@dialog(PAGE, "Revoke")
def _confirm_revoking(name: str, links: int) -> None:
    what = "The link" if links == 1 else f"All {links} links"
    st.text(
        f"{what} of {name} and every page opened with {'it' if links == 1 else 'them'} stop working now. Votes stay."
    )

    def revoke() -> list[str]:
        return [f"{plural(revoke_invitations(engine(), name), 'invitation')} of {name} revoked"]

    ask("Revoke", revoke)
