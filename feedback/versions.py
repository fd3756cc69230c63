"""Which version is live: begin, publish, promote, roll back; each one transaction and one event row."""

from collections.abc import Iterable

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from feedback.tally import count_new_rejects
from store.engine import reading, writing
from store.errors import BadRequest, OtherBase, UnknownVersion
from store.tables import Action, Alias, AliasEvent, AliasName, Image, Version, Vote

PLAIN = 0


def begin(engine: Engine, base_model: str, base_sha256: str) -> None:
    """Records the plain base as v0 and champion, once. Raises OtherBase when the store has another base."""
    with writing(engine) as session:
        plain = session.get(Version, PLAIN)
        if plain is None:
            session.add(Version(number=PLAIN, base_model=base_model, base_sha256=base_sha256))
            session.flush()
            _point(session, Action.begin, AliasName.champion, PLAIN, "the plain base")
        elif plain.base_sha256 != base_sha256:
            raise OtherBase(plain.base_model, base_model)


def publish(session: Session, version: Version, reason: str) -> None:
    """Adds the version's row as challenger; for use inside a `writing` block, once its files are in place."""
    session.add(version)
    session.flush()
    _point(session, Action.publish, AliasName.challenger, version.number, reason)
    session.flush()
    count_new_rejects(session)


def next_number(session: Session) -> int:
    """The number that the next version gets."""
    return (session.exec(select(func.max(Version.number))).one() or PLAIN) + 1


def promote(engine: Engine, number: int, reason: str = "") -> None:
    """Makes version `number` the champion. Raises UnknownVersion, or BadRequest when it already is."""
    with writing(engine) as session:
        if session.get(Version, number) is None:
            raise UnknownVersion(number, next_number(session) - 1)
        if _pointed(session, AliasName.champion) == number:
            raise BadRequest(f"v{number} is the champion already; nothing was changed")
        _point(session, Action.promote, AliasName.champion, number, reason)
        challenger = session.get(Alias, AliasName.challenger)
        if challenger is not None and challenger.version == number:
            session.delete(challenger)
        _retire_unrated(session, number)


def roll_back(engine: Engine, reason: str = "") -> int:
    """The version that is champion again: the one before the last promotion still in force.

    Raises BadRequest when there is none.
    """
    with writing(engine) as session:
        before = reigns(session.exec(select(AliasEvent).order_by(col(AliasEvent.id))))[:-1]
        if not before:
            raise BadRequest("there is no earlier champion to go back to; nothing was changed")
        _point(session, Action.roll_back, AliasName.champion, before[-1], reason)
        _retire_unrated(session, before[-1])
        return before[-1]


def reigns(events: Iterable[AliasEvent]) -> list[int]:
    """The champions still in force, oldest first: a promotion adds one, a rollback takes the last away."""
    stack: list[int] = []
    for event in events:
        if event.alias is not AliasName.champion:
            continue
        if event.action is Action.roll_back:
            stack.pop()
        elif event.to_version is not None:
            stack.append(event.to_version)
    return stack


def champion(engine: Engine) -> Version:
    """The live version. Raises BadRequest in a store where `begin` has not run."""
    with reading(engine) as session:
        number = _pointed(session, AliasName.champion)
        if number is None:
            raise BadRequest("this store has no champion yet; start `naysayer generate` once, it records the base")
        return session.get_one(Version, number)


def get_version(engine: Engine, number: int) -> Version:
    """The row of a version. Raises UnknownVersion."""
    with reading(engine) as session:
        version = session.get(Version, number)
        if version is None:
            raise UnknownVersion(number, next_number(session) - 1)
        return version


def events(engine: Engine) -> list[AliasEvent]:
    """All that happened to the aliases, newest first."""
    with reading(engine) as session:
        return list(session.exec(select(AliasEvent).order_by(col(AliasEvent.id).desc())))


def _pointed(session: Session, name: AliasName) -> int | None:
    alias = session.get(Alias, name)
    return None if alias is None else alias.version


def _point(session: Session, action: Action, name: AliasName, number: int, reason: str) -> None:
    alias = session.get(Alias, name) or Alias(name=name, version=number)
    came_from = _pointed(session, name)
    alias.version = number
    session.add(alias)
    session.add(AliasEvent(action=action, alias=name, from_version=came_from, to_version=number, reason=reason))


def _retire_unrated(session: Session, live: int) -> None:
    """Takes the unrated images of all other versions out of the queue: what is rated next is the new champion's.

    Those a rater holds already may still be voted on.
    """
    untouched = ~select(Vote.id).where(Vote.image_id == Image.id).exists()
    for image in session.exec(select(Image).where(col(Image.is_queued), Image.version != live, untouched)):
        image.is_queued = False
        session.add(image)
