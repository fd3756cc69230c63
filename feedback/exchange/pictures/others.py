"""Imported pictures that another base than the store's drew: which they are, and whether training takes them now."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from feedback.exchange.pictures.bases import drawn_size, for_reader, is_of_other_base, known_models
from feedback.exchange.pictures.importing import batched
from feedback.exchange.pictures.outcome import Terms, left_out
from feedback.exchange.pictures.recording import BY, MAX_REASON
from feedback.metadata.bases import base_of_model
from feedback.metadata.found import UNKNOWN, Found, Status
from feedback.pool.curation import MOST_AT_ONCE, curate
from feedback.pool.verdicts import IN_OR_OUT
from store.engine import reading
from store.tables import Image, ImportedPicture, PoolAction, PoolEvent

NOW_TAKEN = "what kept it out no longer holds"


def pictures_of_other_bases(engine: Engine) -> list[int]:
    """The imported pictures whose base is known and not the store's own."""
    known = known_models(engine)
    with reading(engine) as session:
        return [image for image, found, _ in _imported(session, known) if is_of_other_base(found, known)]


def follow_setting(engine: Engine, other_bases: float) -> int:
    """Takes imported pictures into the pool or out of it, as `other_bases` and what is known of models now say.

    What a person decided of a picture stays, and so does what its marks decided. How many it changed.
    """
    terms, known = Terms(drawn_size(engine), other_bases), known_models(engine)
    changes: dict[tuple[PoolAction, str], list[int]] = defaultdict(list)
    with reading(engine) as session:
        newest = _newest_events(session)
        for image, found, has_marks in _imported(session, known):
            event = newest.get(image)
            if has_marks or (event and event.by != BY):
                continue
            why = left_out(found, known, terms)[:MAX_REASON]
            if bool(why) != (event is not None and event.action is PoolAction.exclude):
                changes[(PoolAction.exclude, why) if why else (PoolAction.restore, NOW_TAKEN)].append(image)
    for (action, reason), images in changes.items():
        for some in batched(images, MOST_AT_ONCE):
            curate(engine, some, action, by=BY, reason=reason)
    return sum(map(len, changes.values()))


def _imported(session: Session, known: Mapping[str, str]) -> Iterator[tuple[int, Found, bool]]:
    """Each imported picture with what decides whether training takes it, and whether it has marks."""
    rows = session.exec(
        select(ImportedPicture, Image.width, Image.height)
        .join(Image, col(Image.id) == ImportedPicture.image_id)
        .order_by(col(ImportedPicture.image_id))
    )
    for row, width, height in rows:
        base = row.base if row.base != UNKNOWN else base_of_model(row.model, row.model_hash, for_reader(known))
        found = Found(
            Status.ok, width=width, height=height, model=row.model, model_hash=row.model_hash, base=base or UNKNOWN
        )
        yield row.image_id, found, bool(row.marks)


def _newest_events(session: Session) -> dict[int, PoolEvent]:
    """The newest event that took each imported picture out of the pool or put it back."""
    ids = (
        select(func.max(col(PoolEvent.id)))
        .join(ImportedPicture, col(ImportedPicture.image_id) == PoolEvent.image_id)
        .where(col(PoolEvent.action).in_(IN_OR_OUT))
        .group_by(col(PoolEvent.image_id))
    )
    return {event.image_id: event for event in session.exec(select(PoolEvent).where(col(PoolEvent.id).in_(ids)))}
