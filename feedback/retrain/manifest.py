"""The frozen training set of a version."""

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.exc import NoResultFound
from sqlmodel import Session, col, select

from feedback.pool.pool import PoolItem, pool
from feedback.pool.share import SHARE
from feedback.sample.evaluation import load_held_out_hashes, pair_hash
from store.damage import RESTORE
from store.engine import reading, writing
from store.errors import Busy, DamagedStore, TooFewRejects
from store.files import sha256_of
from store.phrases import plural
from store.tables import Manifest, ManifestItem, Role, Split


@dataclass(frozen=True)
class FrozenManifest:
    """The items in the order of their ids; `id` is the hash of their canonical JSON, `body`."""

    base_sha256: str
    items: tuple[PoolItem, ...]

    @cached_property
    def body(self) -> str:
        content = {"base_sha256": self.base_sha256, "items": [_written(item) for item in self.items]}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @cached_property
    def id(self) -> str:
        return sha256_of(self.body.encode())

    @cached_property
    def of_other_bases(self) -> dict[str, float]:
        """How many pictures another base drew that weigh less, and their weight; empty for none."""
        factors = [item.factor for item in self.items if item.factor < 1]
        return {"pictures": len(factors), "weight": min(factors)} if factors else {}

    @property
    def words(self) -> str:
        """What it holds, as a clause."""
        pictures = plural(len(self.items), "rated picture")
        if not (others := self.of_other_bases):
            return pictures
        return f"{pictures}, {others['pictures']:,} of them drawn by other bases, at weight {others['weight']:g}"

    def of(self, role: Role, split: Split) -> list[PoolItem]:
        """The items of one role and split."""
        return [item for item in self.items if (item.role, item.split) == (role, split)]


def freeze(
    engine: Engine,
    base_sha256: str,
    min_rejects: int = 1,
    find_lost: Callable[[Sequence[PoolItem]], Container[int]] = lambda items: (),
    share: float = SHARE,
    factors: Mapping[int, float] = MappingProxyType({}),
) -> FrozenManifest:
    """The pool as it is now, recorded in the store, without the pictures whose numbers `find_lost` gives.

    `share` caps what rests on one rater. `factors` are those of pictures that do not count in full.

    Raises TooFewRejects when it has fewer than `min_rejects` rejects to train on.
    """
    with reading(engine) as session:
        manifest = _without_evaluated(session, FrozenManifest(base_sha256, tuple(pool(session, share=share))))
    lost = find_lost(manifest.items)
    kept = tuple(
        replace(item, factor=factors.get(item.image_id, 1.0)) for item in manifest.items if item.image_id not in lost
    )
    rejects = sum((item.role, item.split) == (Role.reject, Split.train) for item in kept)
    if rejects < min_rejects:
        raise TooFewRejects(rejects, min_rejects, lost=len(manifest.items) - len(kept))
    manifest = FrozenManifest(base_sha256, kept)
    with writing(engine) as session:
        if _without_evaluated(session, manifest) != manifest:
            raise Busy("an evaluation set was imported while the pool was being frozen; run the retrain again")
        save(session, manifest)
    return manifest


def refuse_too_few(engine: Engine, share: float) -> None:
    """Raises TooFewRejects when a retrain of today's pool would be refused; lost files are not looked for."""
    with reading(engine) as session:
        items = _without_evaluated(session, FrozenManifest("", tuple(pool(session, share=share)))).items
    if not any((item.role, item.split) == (Role.reject, Split.train) for item in items):
        raise TooFewRejects(0, 1)


def _without_evaluated(session: Session, manifest: FrozenManifest) -> FrozenManifest:
    """The manifest without the pictures of evaluation sets, which never train."""
    never = load_held_out_hashes(session)
    if not never:
        return manifest
    items = (item for item in manifest.items if pair_hash(item.prompt, item.seed) not in never)
    return FrozenManifest(manifest.base_sha256, tuple(items))


def load_manifest(engine: Engine, manifest_id: str) -> FrozenManifest:
    """A recorded manifest. Raises DamagedStore when what is recorded is not what the id says."""
    with reading(engine) as session:
        return load(session, manifest_id)


def load(session: Session, manifest_id: str) -> FrozenManifest:
    chain = [_read(session, manifest_id)]
    while (earlier := chain[-1].get("after")) is not None:
        chain.append(_read(session, earlier))
    try:
        found = FrozenManifest(chain[0]["base_sha256"], _put_together(chain[::-1]))
    except (KeyError, TypeError, ValueError) as error:
        raise _changed(manifest_id) from error
    if found.id != manifest_id:
        raise _changed(manifest_id)
    return found


def _put_together(bodies: list[dict[str, Any]]) -> tuple[PoolItem, ...]:
    """The items after the whole first body and the differences that follow."""
    items: dict[int, PoolItem] = {}
    for body in bodies:
        for gone in body.get("gone", ()):
            items.pop(gone, None)
        items |= {row["image_id"]: _item(row) for row in body["items"]}
    return tuple(items[image_id] for image_id in sorted(items))


def _read(session: Session, manifest_id: str) -> dict[str, Any]:
    try:
        return json.loads(session.get_one(Manifest, manifest_id).body)
    except (ValueError, NoResultFound) as error:
        raise _changed(manifest_id) from error


def _changed(manifest_id: str) -> DamagedStore:
    return DamagedStore(f"the training set {manifest_id[:12]}… in the database has changed; {RESTORE}")


def _item(row: dict[str, Any]) -> PoolItem:
    return PoolItem(**(row | {"role": Role(row["role"]), "split": Split(row["split"])}))


def _shortest(session: Session, manifest: FrozenManifest) -> str:
    """The manifest as JSON: whole, or what differs from the newest one, so that a store grows with its pool only."""
    newest = session.exec(select(Manifest.id).order_by(col(Manifest.created_at).desc(), Manifest.id).limit(1)).first()
    if newest is None:
        return manifest.body
    try:
        known = {item.image_id: item for item in load(session, newest).items}
    except DamagedStore:
        return manifest.body
    mine = {item.image_id: item for item in manifest.items}
    difference = {
        "after": newest,
        "base_sha256": manifest.base_sha256,
        "gone": sorted(known.keys() - mine.keys()),
        "items": [_written(item) for number, item in mine.items() if known.get(number) != item],
    }
    return min(manifest.body, json.dumps(difference, sort_keys=True, separators=(",", ":")), key=len)


def _written(item: PoolItem) -> dict[str, object]:
    """The fields of an item without weight and factor of 1: manifests from before there were any keep their id."""
    return {name: value for name, value in vars(item).items() if name not in ("weight", "factor") or value != 1.0}


def save(session: Session, manifest: FrozenManifest) -> None:
    if session.get(Manifest, manifest.id) is not None:
        return
    session.add(Manifest(id=manifest.id, body=_shortest(session, manifest)))
    session.flush()
    rows = [
        {"manifest_id": manifest.id, "image_id": item.image_id, "role": item.role, "split": item.split}
        for item in manifest.items
    ]
    if rows:  # SQLAlchemy would insert one empty row for an empty list
        session.execute(insert(ManifestItem), rows)
