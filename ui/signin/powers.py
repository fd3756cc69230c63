"""What the person at the screen may do, asked at the moment of acting.

A page may stay open for hours while its viewer is demoted or the invitation revoked. So no page keeps a power: it
reaches the store only through `store_of`, and draws what runs by itself (fragments, dialogs, callbacks) only with the
decorators below. Each asks again who is there and what that person may do now.
"""

from collections.abc import Callable
from functools import wraps
from typing import Literal, ParamSpec

import streamlit as st
from sqlalchemy import Engine

from store.errors import NaysayerError, NotAllowed
from store.tables import PersonRole
from ui.signin.people import MAY_OPEN, Person, Viewer, identify_viewer
from ui.web import process
from ui.web.pieces import alert, head

Args = ParamSpec("Args")
Drawn = Callable[Args, None]


def require(page: str, viewer: Viewer | None = None) -> Person:
    """The viewer of a page, who may open it now. Raises NotSignedIn or NotAllowed."""
    return permit(page, identify_viewer(viewer))


def permit(page: str, person: Person) -> Person:
    """The person, who may open the page. Raises NotAllowed."""
    if page not in MAY_OPEN[person.role]:
        needed = next(role for role in PersonRole if page in MAY_OPEN[role])
        raise NotAllowed(
            f"{page} is open to a role from {needed.value} up, and yours is {person.role.value} now; "
            "nothing was changed, ask an admin for the role"
        )
    return person


def store_of(page: str) -> Engine:
    """The store, for a page that its viewer may open now. Raises NotSignedIn or NotAllowed."""
    require(page)
    return process.engine()


def refused_page(title: str) -> Callable[[], None]:
    """What is drawn in place of a page that the viewer's role does not include: a sentence."""

    @guard(title)
    def look_again() -> None:
        st.rerun()  # the role was given meanwhile

    def refused() -> None:
        st.html(head(title))
        look_again()

    return refused


def guard(page: str) -> Callable[[Drawn[Args]], Drawn[Args]]:
    """Draws only for a viewer who may open the page now; for others, and for our own errors, a sentence."""

    def decorate(draw: Drawn[Args]) -> Drawn[Args]:
        @wraps(draw)
        def guarded(*args: Args.args, **named: Args.kwargs) -> None:
            try:
                require(page)
                draw(*args, **named)
            except NaysayerError as error:
                st.html(alert(str(error)))

        return guarded

    return decorate


def fragment(page: str, run_every: float | None = None) -> Callable[[Drawn[Args]], Drawn[Args]]:
    """A part of a page that is drawn again by itself, and asks each time."""

    def decorate(draw: Drawn[Args]) -> Drawn[Args]:
        return st.fragment(run_every=run_every)(guard(page)(draw))

    return decorate


def dialog(page: str, title: str, width: Literal["small", "large"] = "small") -> Callable[[Drawn[Args]], Drawn[Args]]:
    """A dialog of a page, which asks at each of its buttons."""

    def decorate(draw: Drawn[Args]) -> Drawn[Args]:
        return st.dialog(title, width=width)(guard(page)(draw))

    return decorate


def callback(page: str) -> Callable[[Drawn[Args]], Drawn[Args]]:
    """What a widget calls before the page is drawn; for a viewer who may no longer, nothing."""

    def decorate(act: Drawn[Args]) -> Drawn[Args]:
        @wraps(act)
        def asked(*args: Args.args, **named: Args.kwargs) -> None:
            try:
                require(page)
            except NaysayerError:
                return  # the page is drawn next and says why
            act(*args, **named)

        return asked

    return decorate
