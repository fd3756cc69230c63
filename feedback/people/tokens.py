"""Tokens: they let a program act under a name, until they are revoked.

A token is 256 random bits, so its SHA-256 is enough to recognise it, and nobody can find the token from the hash. It
allows what its role allows, and never more than the person of that name may do at the moment.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from feedback.people.decisions import Decision, record_decision
from feedback.rate.raters import find_rater, rater_of
from store.engine import reading, writing
from store.errors import BadRequest, NotSignedIn
from store.files import sha256_of
from store.tables import PersonRole, RaterAction, Token, utc_now

PREFIX = "naysayer_"
"""Every token begins so, for programs that look for secrets in places where none belongs."""
LONGEST = 200
NOTED_EVERY = timedelta(minutes=1)
"""How often the use of a token is written down; a vote of a program is to cost one write, not two."""
ROLES = list(PersonRole)
"""From the fewest powers to the most."""


class Bearer(NamedTuple):
    """Whose token it is, and what it allows now."""

    name: str
    role: PersonRole


class TokenRow(NamedTuple):
    """A token, and what it allows now: less than its own role where its person was given a lower one."""

    token: Token
    allows: PersonRole


def make_token(engine: Engine, name: str, role: PersonRole, *, by: str = "command line") -> str:
    """A new token, which nobody can read from the store again; earlier ones of that name stay good.

    A person with fewer powers than `role` gets that role.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    with writing(engine) as session:
        person = rater_of(session, name)
        if ROLES.index(person.role) < ROLES.index(role):
            person.role = role
            record_decision(session, person, Decision(RaterAction.role, by, f"has a token as {role.value}"))
        session.add(Token(name=person.name, role=role, sha256=_hash_of(token)))
    return token


def role_to_gain(engine: Engine, name: str, role: PersonRole) -> PersonRole | None:
    """The role that a known person has now, where a token of `role` would raise it."""
    with reading(engine) as session:
        person = find_rater(session, name)
    return None if person is None or ROLES.index(person.role) >= ROLES.index(role) else person.role


def read_token(engine: Engine, token: str) -> Bearer:
    """Who holds a token, whose use is noted. Raises NotSignedIn when it is unknown or revoked, without repeating it."""
    with reading(engine) as session:
        row = session.exec(select(Token).where(Token.sha256 == _hash_of(token[:LONGEST]))).first()
        if row is None:
            raise NotSignedIn("this token is not one of ours; an admin makes one with `naysayer token make NAME`")
        if row.revoked_at is not None:
            raise NotSignedIn("this token was revoked; an admin makes another with `naysayer token make NAME`")
        bearer = Bearer(row.name, _allowed(session, row))
    if row.used_at is None or row.used_at.replace(tzinfo=None) + NOTED_EVERY < utc_now().replace(tzinfo=None):
        with writing(engine) as session:
            session.exec(update(Token).where(col(Token.id) == row.id).values(used_at=utc_now()))
    return bearer


def _allowed(session: Session, token: Token) -> PersonRole:
    person = find_rater(session, token.name)
    return min(token.role, person.role if person is not None else PersonRole.rater, key=ROLES.index)


def list_tokens(engine: Engine) -> list[TokenRow]:
    """Every token, newest first."""
    with reading(engine) as session:
        return [
            TokenRow(row, _allowed(session, row)) for row in session.exec(select(Token).order_by(col(Token.id).desc()))
        ]


def revoke_token(engine: Engine, number: int) -> Token:
    """The token of that number, good no more from the next request on. Raises BadRequest for an unknown one."""
    with writing(engine) as session:
        row = session.get(Token, number) if 0 < number < 2**31 else None
        if row is None:
            raise BadRequest(f"there is no token {number}; `naysayer token list` shows the numbers")
        if row.revoked_at is not None:
            raise BadRequest(f"token {number} of {row.name} was revoked before; nothing was changed")
        row.revoked_at = utc_now()
        session.add(row)
        return row


def _hash_of(token: str) -> str:
    return sha256_of(token.encode("utf-8", "surrogatepass"))
