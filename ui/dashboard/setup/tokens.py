"""API tokens: make one for a program, copy it while it is shown, see when it was last used, revoke it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from feedback.people.tokens import TokenRow, list_tokens, make_token, revoke_token, role_to_gain
from store.errors import NaysayerError
from store.phrases import plural
from store.tables import PersonRole
from ui.dashboard.setup.desk import PAGE, about, act, ask, engine, refuse
from ui.dashboard.setup.rows import numbers_of, show_rows
from ui.signin.people import viewer_name
from ui.signin.powers import dialog
from ui.web.pieces import data_line

MADE = "made token"
ROLES = {
    PersonRole.rater: "rater: rates pictures",
    PersonRole.curator: "curator: also reads the pool",
    PersonRole.admin: "admin: may do everything",
}


class Made(NamedTuple):
    """A token that is shown once."""

    name: str
    role: PersonRole
    token: str


def show_tokens() -> None:
    """The whole part."""
    about(
        "With a token a program uses the API under a name, until you revoke the token. It votes as the rater of that "
        "name. docs/operator/api.md says what there is to call."
    )
    _show_form()
    _show_made()
    _show_list(list_tokens(engine()))


def _show_form() -> None:
    with st.form("token", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Program", max_chars=80, placeholder="its name", width=240)
        role = st.selectbox("Role", list(ROLES), format_func=ROLES.__getitem__, width=290)
        is_pressed = st.form_submit_button("Make a token", type="primary")
    if not is_pressed:
        return
    if not name.strip():
        refuse("write the program's name first; no token was made")
    try:
        now = role_to_gain(engine(), name, role)
    except NaysayerError as error:
        refuse(str(error))
    if now is None:
        act(partial(_make, name, role))
    else:
        _confirm_role(name, now, role)


def _make(name: str, role: PersonRole) -> list[str]:
    token = make_token(engine(), name, role, by=viewer_name())
    st.session_state[MADE] = Made(" ".join(name.split()), role, token)
    return []


@dialog(PAGE, "A higher role")
def _confirm_role(name: str, now: PersonRole, role: PersonRole) -> None:
    st.text(f"{name} is {now.value} now. The token makes {name} {role.value}, on the pages as well.")
    ask("Make the token", partial(_make, name, role))


def _show_made() -> None:
    made = st.session_state.get(MADE)
    if made is None:
        return
    pressed = show_rows("token", "token.html", made=made)
    if pressed is not None:
        del st.session_state[MADE]
        st.rerun()


def _show_list(rows: Sequence[TokenRow]) -> None:
    if rows:
        st.html(data_line(*counts(rows)))
    pressed = show_rows("tokens", "tokens.html", rows=rows)
    if pressed is None:
        return
    found = [row for row in rows if row.token.id in numbers_of(pressed)]
    if found:
        _confirm_revoking(found[0])
    else:
        act(lambda: ["that token is not in the list any more"])


def counts(rows: Sequence[TokenRow]) -> list[str]:
    """How many tokens are good, and how many of these nobody has used."""
    good = [row.token for row in rows if row.token.revoked_at is None]
    unused = sum(one.used_at is None for one in good)
    return [
        f"{plural(len(good), 'token')} good",
        *([f"{unused:,} of them never used"] if unused else []),
        *([f"{len(rows) - len(good):,} revoked"] if len(rows) > len(good) else []),
    ]


@dialog(PAGE, "Revoke")
def _confirm_revoking(row: TokenRow) -> None:
    st.text(
        f"Every program with this token of {row.token.name} is refused from its next request on. Votes stay; other "
        "tokens of that name stay good."
    )

    def revoke() -> list[str]:
        return [f"the token of {revoke_token(engine(), row.token.id or 0).name} is revoked"]

    ask("Revoke", revoke)
