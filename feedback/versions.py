"""Which version is live: begin, publish, promote, roll back, withdraw; each one transaction and one event row."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, update
from sqlmodel import Session, col, select

from feedback.pool.tally import count_new_rejects
from feedback.recipe import Recipe
from feedback.succession import PLAIN, alias_target, promoted_at_once, reigns
from store.engine import reading, writing
from store.errors import BadRequest, OtherBase, UnknownVersion
from store.tables import Action, Alias, AliasEvent, AliasName, Image, Origin, Version, Vote

NO_OTHERS: Callable[[], Collection[str]] = frozenset
PARTS = {
    "unet": "the UNet",
    "vae": "the VAE",
    "text_encoder": "the first text encoder",
    "text_encoder_2": "the second text encoder",
    "tokenizer": "the first tokenizer",
    "tokenizer_2": "the second tokenizer",
    "prediction": "the prediction type or noise schedule",
    "refiner": "the refiner",
    "refiner_prediction": "the refiner's prediction type or noise schedule",
    "refiner_start": "the refiner's start",
}
"""Parts of a base, for people."""


def begin(
    engine: Engine,
    base_model: str,
    base_sha256: str,
    facts: Mapping[str, Any] | None = None,
    earlier_hashes: Callable[[], Collection[str]] = NO_OTHERS,
) -> None:
    """Records the plain base as v0 and champion, once; `facts` are kept beside its name and hash.

    A store that knows the base by one of the `earlier_hashes` goes on with it, and knows it by the new one from then
    on. Raises OtherBase, with the parts that differ, when the store has another base.
    """
    facts = dict(facts or {})
    with reading(engine) as session:
        plain = session.get(Version, PLAIN)
    if plain is None:
        with writing(engine) as session:
            session.add(Version(number=PLAIN, base_model=base_model, base_sha256=base_sha256, settings=facts))
            session.flush()
            _point(session, Action.begin, AliasName.champion, PLAIN, "the plain base")
    elif plain.base_sha256 != base_sha256:
        other = Version(number=PLAIN, base_model=base_model, base_sha256=base_sha256, settings=facts)
        require_same_base(plain, other, earlier_hashes)
        with writing(engine) as session:
            plain = session.get_one(Version, PLAIN)
            plain.base_sha256, plain.settings = base_sha256, plain.settings | facts
            session.add(plain)


def note_plain(engine: Engine, facts: dict[str, Any]) -> None:
    """Keeps facts with v0, where they are others than before."""
    with reading(engine) as session:
        known = session.get_one(Version, PLAIN).settings
    if known | facts != known:
        with writing(engine) as session:
            plain = session.get_one(Version, PLAIN)
            plain.settings = plain.settings | facts
            session.add(plain)


def require_same_base(plain: Version, other: Version, earlier_hashes: Callable[[], Collection[str]]) -> None:
    """Raises OtherBase when `plain`, the store's v0, has another base than `other`."""
    if plain.base_sha256 == other.base_sha256:
        return
    known = Recipe.of(plain).base_parts
    if not known and plain.base_sha256 in earlier_hashes():
        return
    raise OtherBase(describe_base(plain), describe_base(other), _difference(plain, other))


def _difference(plain: Version, other: Version) -> str:
    """What two bases differ in, in words."""
    was, now = Recipe.of(plain).base_parts, Recipe.of(other).base_parts
    if not was or not now:
        return f"their weights differ ({plain.base_sha256[:12]}… and {other.base_sha256[:12]}…)"
    names = [name for name in PARTS if was.get(name) != now.get(name)]
    words = [PARTS[name] for name in names]
    return f"{', '.join(words[:-1])} and {words[-1]} differ" if len(words) > 1 else f"{words[0]} differs"


def describe_base(version: Version) -> str:
    """The base of a version, as a person tells it from another.

    >>> carried = {"model_revision": "c0ffee", "refiner": "a/r", "refiner_start": 0.8}
    >>> describe_base(Version(number=0, base_model="a/b", base_sha256="", settings=carried))
    'a/b at revision c0ffee with the refiner a/r from 0.8'
    """
    recipe = Recipe.of(version)
    revision = f" at revision {recipe.model_revision}" if recipe.model_revision else ""
    refiner = f" with the refiner {recipe.refiner} from {recipe.refiner_start}" if recipe.refiner else ""
    return version.base_model + revision + refiner


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
    """Makes version `number` the champion. Raises UnknownVersion, or BadRequest when it already is or was withdrawn."""
    with writing(engine) as session:
        require_version(session, number)
        if alias_target(session, AliasName.champion) == number:
            raise BadRequest(f"v{number} is the champion already; nothing was changed")
        if number in withdrawn(session):
            raise BadRequest(f"v{number} was withdrawn, so it cannot be promoted; nothing was changed")
        _point(session, Action.promote, AliasName.champion, number, reason)
        _end_challenge(session, number)
        _retire_unrated(session, number)


def roll_back(engine: Engine, reason: str = "") -> int:
    """Restores the previous champion and returns its number; run it again to go back another step.

    Raises BadRequest when there is none.
    """
    with writing(engine) as session:
        before = reigns(session.exec(select(AliasEvent).order_by(col(AliasEvent.id))))[:-1]
        if not before:
            raise BadRequest("there is no earlier champion to go back to; nothing was changed")
        _point(session, Action.roll_back, AliasName.champion, before[-1], reason)
        _retire_unrated(session, before[-1])
        return before[-1]


def undo_promotion(engine: Engine, number: int, before: int, reason: str) -> bool:
    """Goes back to the champion before, one event; False, with nothing changed, when the champion is another now."""
    with writing(engine) as session:
        if promoted_at_once(session) != (number, before):
            return False
        _point(session, Action.roll_back, AliasName.champion, before, reason)
        _retire_unrated(session, before)
        return True


def withdraw(engine: Engine, number: int, reason: str) -> int:
    """Takes a version out of use for good; returns the number of the champion after that.

    Its waiting pictures leave the queue. If it was the champion, the one before it is champion again.
    Raises UnknownVersion, or BadRequest for the plain base and for a version already withdrawn.
    """
    with writing(engine) as session:
        require_version(session, number)
        if number == PLAIN:
            raise BadRequest("the plain base cannot be withdrawn, because every version needs it; nothing was changed")
        if number in withdrawn(session):
            raise BadRequest(f"v{number} was withdrawn before; nothing was changed")
        live = alias_target(session, AliasName.champion)
        _end_challenge(session, number)
        if live == number:
            happened = session.exec(select(AliasEvent).order_by(col(AliasEvent.id)))
            live = [reign for reign in reigns(happened) if reign != number][-1]
            _point(session, Action.withdraw, AliasName.champion, live, reason)
            _retire_unrated(session, live)
        else:
            _note(session, Action.withdraw, number, reason)
        _drop_queued(session, col(Image.version) == number)
        assert live is not None
        return live


def conclude(engine: Engine, action: Action, number: int, against: int, reason: str) -> bool:
    """Promotes, refuses or finds no difference, as the gate decided; one event.

    False, with nothing changed, when the champion or the challenger has changed since.
    """
    with writing(engine) as session:
        aliases = (alias_target(session, AliasName.champion), alias_target(session, AliasName.challenger))
        if aliases != (against, number) or number in withdrawn(session):
            return False
        if action is Action.promote:
            _point(session, Action.promote, AliasName.champion, number, reason)
            _retire_unrated(session, number)
        else:
            _note(session, action, number, reason)
        _end_challenge(session, number)
        _drop_queued(session, col(Image.origin) == Origin.evaluation)
        return True


def withdrawn(session: Session) -> set[int]:
    """The versions that were withdrawn."""
    gone = select(AliasEvent.from_version).where(AliasEvent.action == Action.withdraw)
    return {number for number in session.exec(gone) if number is not None}


def champion(engine: Engine) -> Version:
    """The live version. Raises BadRequest in a store where `begin` has not run."""
    with reading(engine) as session:
        number = alias_target(session, AliasName.champion)
        if number is None:
            raise BadRequest("this store has no champion yet; start `naysayer generate` once, it records the base")
        return session.get_one(Version, number)


def get_version(engine: Engine, number: int) -> Version:
    """The row of a version. Raises UnknownVersion."""
    with reading(engine) as session:
        return require_version(session, number)


def events(engine: Engine) -> list[AliasEvent]:
    """Everything that happened to the aliases, newest first."""
    with reading(engine) as session:
        return list(session.exec(select(AliasEvent).order_by(col(AliasEvent.id).desc())))


def require_version(session: Session, number: int) -> Version:
    """The row of a version. Raises UnknownVersion."""
    version = session.get(Version, number)
    if version is None:
        raise UnknownVersion(number, next_number(session) - 1)
    return version


def note_damage(engine: Engine, number: int, damage: str) -> None:
    """Records why nothing can be drawn with a version; empty: it is sound again."""
    with writing(engine) as session:
        version = require_version(session, number)
        version.damage = damage
        session.add(version)


def damaged_versions(engine: Engine) -> list[Version]:
    """The versions that a worker found damaged."""
    with reading(engine) as session:
        return list(session.exec(select(Version).where(Version.damage != "").order_by(col(Version.number))))


def _point(session: Session, action: Action, name: AliasName, number: int, reason: str) -> None:
    alias = session.get(Alias, name) or Alias(name=name, version=number)
    came_from = alias_target(session, name)
    alias.version = number
    session.add(alias)
    session.add(AliasEvent(action=action, alias=name, from_version=came_from, to_version=number, reason=reason))


def _note(session: Session, action: Action, number: int | None, reason: str) -> None:
    event = AliasEvent(action=action, alias=AliasName.challenger, from_version=number, to_version=None, reason=reason)
    session.add(event)


def _end_challenge(session: Session, number: int) -> None:
    challenger = session.get(Alias, AliasName.challenger)
    if challenger is not None and challenger.version == number:
        session.delete(challenger)


def _retire_unrated(session: Session, live: int) -> None:
    """Takes the unrated pictures of all other versions out of the queue, and those of a comparison that is over.

    A rater may still vote on pictures that are already on the page.
    """
    is_of_others = (col(Image.version) != live) & (col(Image.origin) != Origin.imported)
    _drop_queued(session, is_of_others | (col(Image.origin) == Origin.evaluation))


def _drop_queued(session: Session, which: ColumnElement[bool]) -> None:
    untouched = ~select(Vote.id).where(Vote.image_id == Image.id).exists()
    dropped = update(Image).where(col(Image.is_queued), which, untouched).values(is_queued=False)
    session.execute(dropped, execution_options={"synchronize_session": False})
