"""Writes imported pictures into the store: rows of a batch in one transaction, once their files are in place."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.exchange.pictures.reading import Read
from feedback.metadata.found import Found
from feedback.sample.prompts import clean_prompt, ensure_prompt
from store.engine import reading, writing
from store.files import sha256_of
from store.tables import Image, ImportedPicture, Origin, PoolAction, PoolEvent
from store.texts import find_control, with_single_spaces

BY, MAX_REASON = "import", 200
MOST_SEED = 2**63 - 1


class Taken(NamedTuple):
    """A picture that comes in: its file's hash, and why training leaves it out; empty: training takes it."""

    read: Read
    source: str
    sha256: str
    left_out: str


def storable(text: str) -> str:
    """The text without what no column of every database holds: control characters and halves of letters.

    >>> storable("a fox\\x00\\nin snow"), storable("\\ud800x")
    ('a fox\\nin snow', 'x')
    """
    return "".join(one for one in text if one in "\n\t" or not find_control(one))


def known_files(engine: Engine, sources: Mapping[str, str]) -> set[str]:
    """Of these places with their stamps, those that came in before and are unchanged."""
    names = {storable(source): source for source in sources}
    with reading(engine) as session:
        columns = select(ImportedPicture.source, ImportedPicture.stamp)
        rows = session.exec(columns.where(col(ImportedPicture.source).in_(list(names)))).all()
    return {names[source] for source, stamp in rows if sources[names[source]] == stamp}


def known_pixels(engine: Engine, hashes: Sequence[str]) -> set[str]:
    """Of these pictures, those that came in before."""
    with reading(engine) as session:
        columns = select(ImportedPicture.pixels_sha256)
        return set(session.exec(columns.where(col(ImportedPicture.pixels_sha256).in_(hashes))))


def picture_of(engine: Engine, pixels_sha256: str) -> int | None:
    """The picture with these pixels, if it came in."""
    with reading(engine) as session:
        columns = select(ImportedPicture.image_id).where(ImportedPicture.pixels_sha256 == pixels_sha256)
        return session.exec(columns).first()


def record(engine: Engine, batch: Sequence[Taken]) -> set[str]:
    """The hashes of the pixels that were new; all rows or none."""
    with writing(engine) as session:
        hashes = [one.read.pixels_sha256 for one in batch]
        columns = select(ImportedPicture.pixels_sha256)
        known = set(session.exec(columns.where(col(ImportedPicture.pixels_sha256).in_(hashes))))
        prompts: dict[str, int] = {}
        for one in batch:
            if one.read.pixels_sha256 not in known:
                _add(session, one, prompts)
    return set(hashes) - known


def _add(session: Session, one: Taken, prompts: dict[str, int]) -> None:
    found = one.read.found
    text = clean_prompt(found.prompt or "")
    key = with_single_spaces(text)
    if key not in prompts:
        prompts[key] = ensure_prompt(session, text)
    tool, model, model_hash = (storable(text) for text in (found.tool, found.model, found.model_hash))
    image = Image(
        work_key=sha256_of(f"imported {one.read.pixels_sha256}".encode()),
        sha256=one.sha256,
        prompt_id=prompts[key],
        negative_prompt=storable(found.negative_prompt),
        seed=_seed(found, one.read.pixels_sha256),
        rule="plain",
        strength=0.0,
        guidance_scale=found.guidance_scale or 0.0,
        num_inference_steps=found.steps or 0,
        width=found.width,
        height=found.height,
        version=0,
        origin=Origin.imported,
        is_queued=True,
    )
    session.add(image)
    session.flush()
    assert image.id is not None
    session.add(
        ImportedPicture(
            image_id=image.id,
            pixels_sha256=one.read.pixels_sha256,
            source=storable(one.source),
            stamp=one.read.entry.stamp,
            tool=tool,
            seed="" if found.seed is None else str(found.seed),
            model=model,
            model_hash=model_hash,
            base=storable(found.base),
            marks=[str(mark) for mark in found.marks],
        )
    )
    if one.left_out:
        event = PoolEvent(
            image_id=image.id, action=PoolAction.exclude, by=BY, reason=storable(one.left_out)[:MAX_REASON]
        )
        session.add(event)


def _seed(found: Found, pixels_sha256: str) -> int:
    """The seed where the column holds it; else one of the picture's own, which only divides pictures into parts."""
    is_held = found.seed is not None and found.seed <= MOST_SEED
    return found.seed if is_held and found.seed is not None else int(pixels_sha256[:8], 16)
