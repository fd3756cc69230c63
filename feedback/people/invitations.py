"""Invitation links: they let one named person in without an account, until they expire or are revoked.

The link holds the invitation's number and an HMAC of it: who knows no secret can make none, and the store knows which
were revoked.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.rate.raters import find_rater, rater_of
from store.engine import reading, writing
from store.errors import BadRequest, NotSignedIn
from store.secrets import find_fault, is_signed, sign
from store.settings import Settings
from store.tables import Invitation, PersonRole, utc_now

LONGEST_DAYS = 366


class InvitationState(StrEnum):
    """Whether an invitation lets anybody in."""

    good = "good"
    expired = "expired"
    revoked = "revoked"


def invite(engine: Engine, name: str, *, days: float, secret: str, role: PersonRole = PersonRole.rater) -> str:
    """The token of a new invitation, for the end of its link. An earlier one for that name stays good.

    Raises BadRequest without a secret, or for a time that is none.
    """
    now = utc_now()
    if not 0 < days <= LONGEST_DAYS:
        raise BadRequest(f"an invitation is good for up to {LONGEST_DAYS} days; {days:g} were asked for")
    _check_secret(secret)
    with writing(engine) as session:
        person = rater_of(session, name)
        row = Invitation(name=person.name, role=role, created_at=now, expires_at=now + timedelta(days=days))
        person.role = role
        session.add_all([row, person])
        session.flush()
        return f"{row.id}.{sign(_message(row.id or 0), secret)}"


def read_invitation(engine: Engine, token: str, *, secret: str, now: datetime | None = None) -> Invitation:
    """The invitation of a token. Raises NotSignedIn when it is forged, expired or revoked."""
    now = now or utc_now()
    _check_secret(secret)
    number, _, signature = token.partition(".")
    row = None
    if number.isascii() and number.isdigit() and len(number) < 10:
        if not is_signed(_message(int(number)), secret, signature):
            raise NotSignedIn("this invitation link is not one of ours; ask for a new one")
        with reading(engine) as session:
            row = session.get(Invitation, int(number))
    if row is None:
        raise NotSignedIn("this invitation link is not one of ours; ask for a new one")
    if (state := state_of(row, now)) is not InvitationState.good:
        was = "was revoked" if state is InvitationState.revoked else "has expired"
        raise NotSignedIn(f"this invitation {was}; ask for a new one")
    return row


def revoke_invitations(engine: Engine, name: str, now: datetime | None = None) -> int:
    """How many invitations of that name are good no more, from the next request on."""
    with writing(engine) as session:
        person = find_rater(session, name)
        if person is None:
            return 0
        rows = session.exec(
            select(Invitation).where(Invitation.name == person.name, col(Invitation.revoked_at).is_(None))
        ).all()
        for row in rows:
            row.revoked_at = now or utc_now()
            session.add(row)
        return len(rows)


def list_invitations(engine: Engine) -> list[Invitation]:
    """Every invitation, newest first."""
    with reading(engine) as session:
        return list(session.exec(select(Invitation).order_by(col(Invitation.id).desc())))


def state_of(row: Invitation, now: datetime | None = None) -> InvitationState:
    """Whether the invitation lets anybody in."""
    if row.revoked_at is not None:
        return InvitationState.revoked
    is_over = row.expires_at.replace(tzinfo=UTC) <= (now or utc_now())
    return InvitationState.expired if is_over else InvitationState.good


def role_to_lose(engine: Engine, name: str, role: PersonRole) -> PersonRole | None:
    """The role that a known person has now, where an invitation would change it."""
    with reading(engine) as session:
        person = find_rater(session, name)
    return None if person is None or person.role is role else person.role


def link_of(settings: Settings, token: str) -> str:
    """The whole link of an invitation."""
    return f"{settings.shown_address}/naysayer/invited/{token}"


def _message(number: int) -> bytes:
    return f"naysayer invitation {number}".encode()


def _check_secret(secret: str) -> None:
    if fault := find_fault("NAYSAYER_SECRET", secret):
        raise BadRequest(f"{fault} (it signs invitations)")
