"""Which pictures trained a version, which of them its parent lacked, and which versions a picture trained."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from store.engine import reading
from store.tables import Image, ImageTally, ManifestItem, Prompt, Role, Split, Version

# Manifests never change, so a count stays valid.
_counted: dict[tuple[str, str | None], tuple[int, int]] = {}


class Trained(NamedTuple):
    """One picture of a manifest, with its current votes."""

    image_id: int
    sha256: str
    width: int
    prompt: str
    seed: int
    version: int
    is_held_out: bool
    rejects: int
    keeps: int
    is_new: bool


class Use(NamedTuple):
    """One version that an image trained."""

    version: int
    role: Role
    split: Split


def lineage_counts(session: Session, manifest: str | None, parent: str | None) -> tuple[int, int]:
    """Rejects of a manifest, and how many of them the parent's manifest lacks."""
    if manifest is None:
        return 0, 0
    if (key := (manifest, parent)) not in _counted:
        mine = (ManifestItem.manifest_id == manifest, ManifestItem.role == Role.reject)
        rejects = session.exec(select(func.count()).select_from(ManifestItem).where(*mine)).one()
        new = session.exec(select(func.count()).select_from(ManifestItem).where(*mine, _is_new(parent))).one()
        if rejects:
            _counted[key] = (rejects, new)
        return rejects, new
    return _counted[key]


def removed_rejects(engine: Engine, manifest: str, parent: str | None) -> int:
    """Rejects of the parent's manifest that this one lacks, because their votes changed."""
    if parent is None:
        return 0
    with reading(engine) as session:
        return lineage_counts(session, parent, manifest)[1]


def trained_on(engine: Engine, version: Version, role: Role, limit: int, *, is_removed: bool = False) -> list[Trained]:
    """Pictures of one role that trained a version, newest first; or those of its parent that it lacks."""
    with reading(engine) as session:
        parent = session.get(Version, version.parent) if version.parent is not None else None
        parent_id = parent.manifest_id if parent is not None else None
        source, other = (parent_id, version.manifest_id) if is_removed else (version.manifest_id, parent_id)
        is_new = _is_new(other)
        rows = session.exec(
            select(ManifestItem, Image, Prompt.text, is_new.label("is_new"))
            .join(Image, col(Image.id) == ManifestItem.image_id)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .where(ManifestItem.manifest_id == source, ManifestItem.role == role, *([is_new] if is_removed else []))
            .order_by(col(ManifestItem.image_id).desc())
            .limit(limit)
        ).all()
        return [_trained(session, *row) for row in rows]


def uses_of(engine: Engine, image_id: int) -> list[Use]:
    """Every version that an image trained, oldest first."""
    with reading(engine) as session:
        rows = session.exec(
            select(Version.number, ManifestItem.role, ManifestItem.split)
            .join(ManifestItem, col(ManifestItem.manifest_id) == Version.manifest_id)
            .where(ManifestItem.image_id == image_id)
            .order_by(col(Version.number))
        )
        return [Use(number, Role(role), Split(split)) for number, role, split in rows]


def find_image(engine: Engine, named: str) -> Image | None:
    """The image with that number, SHA-256, or start of a SHA-256 (8 characters or more)."""
    named = named.strip().lower()
    with reading(engine) as session:
        if named.isascii() and named.isdigit() and len(named) < 8:
            return session.get(Image, int(named))
        if len(named) >= 8 and all(letter in "0123456789abcdef" for letter in named):
            first = select(Image).where(col(Image.sha256) >= named, col(Image.sha256) < f"{named}g")
            return session.exec(first.order_by(col(Image.sha256)).limit(1)).first()
    return None


def _is_new(parent: str | None) -> ColumnElement[bool]:
    other = aliased(ManifestItem)
    mine = (other.manifest_id == (parent or ""), other.image_id == ManifestItem.image_id)
    return ~select(other.image_id).where(*mine, other.role == ManifestItem.role).exists()


def _trained(session: Session, item: ManifestItem, image: Image, prompt: str, is_new: bool) -> Trained:
    tally = session.get(ImageTally, item.image_id) or ImageTally(image_id=item.image_id)
    return Trained(
        item.image_id,
        image.sha256,
        image.width,
        prompt,
        image.seed,
        image.version,
        item.split is Split.held_out,
        tally.rejects,
        tally.keeps,
        bool(is_new),
    )
