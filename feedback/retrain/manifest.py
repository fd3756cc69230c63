"""The frozen training set of a version."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Engine, insert
from sqlmodel import Session, select

from feedback.pool.pool import Pooled, pool
from feedback.sample.evaluation import held, pair_hash
from store.engine import reading, writing
from store.errors import Busy, TooFewRejects
from store.files import sha256_of
from store.tables import Image, Manifest, ManifestItem, Prompt, Role, Split

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Item:
    """One image of a manifest; `rejects` and `keeps` are the votes it had when it was frozen, `weight` says how sure
    they are."""

    image_id: int
    sha256: str
    latent_sha256: str | None
    prompt: str
    seed: int
    width: int
    height: int
    role: Role
    split: Split
    rejects: int
    keeps: int
    weight: float = 1.0


@dataclass(frozen=True)
class FrozenManifest:
    """The items in the order of their ids, and the canonical JSON that names them."""

    base_sha256: str
    items: tuple[Item, ...]

    @cached_property
    def body(self) -> str:
        content = {"base_sha256": self.base_sha256, "items": [_written(item) for item in self.items]}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @cached_property
    def id(self) -> str:
        return sha256_of(self.body.encode())

    def of(self, role: Role, split: Split) -> list[Item]:
        """The items of one role and split."""
        return [item for item in self.items if (item.role, item.split) == (role, split)]


def split_of(prompt: str, seed: int) -> Split:
    """Held out or not, decided by prompt and seed alone, so that an image never changes sides.

    >>> split_of("a red star", 7) == split_of("a red star", 7)
    True
    """
    digest = hashlib.sha256(f"{prompt}\n{seed}".encode()).digest()
    return Split.held_out if int.from_bytes(digest[:4]) < HELD_OUT_SHARE * 2**32 else Split.train


def freeze(engine: Engine, base_sha256: str, min_rejects: int = 1) -> FrozenManifest:
    """The pool of this instant, recorded in the store.

    Raises TooFewRejects when fewer than `min_rejects` of the pool's rejects may be trained on.
    """
    with reading(engine) as session:
        prompts = {prompt.id: prompt.text for prompt in session.exec(select(Prompt))}
        manifest = _without_held(session, FrozenManifest(base_sha256, tuple(_item(p, prompts) for p in pool(session))))
    rejects = len(manifest.of(Role.reject, Split.train))
    if rejects < min_rejects:
        raise TooFewRejects(rejects, min_rejects)
    with writing(engine) as session:
        if len(_without_held(session, manifest).items) < len(
            manifest.items
        ):  # an evaluation set was imported in between
            raise Busy("an evaluation set was imported while the pool was being frozen; run the retrain again")
        _save(session, manifest)
    return manifest


def _without_held(session: Session, manifest: FrozenManifest) -> FrozenManifest:
    """The manifest without what belongs to an evaluation set, by the hash of prompt and seed."""
    never = held(session)
    if not never:
        return manifest
    items = (item for item in manifest.items if pair_hash(item.prompt, item.seed) not in never)
    return FrozenManifest(manifest.base_sha256, tuple(items))


def load_manifest(engine: Engine, manifest_id: str) -> FrozenManifest:
    """A recorded manifest."""
    with reading(engine) as session:
        body = json.loads(session.get_one(Manifest, manifest_id).body)
    items = tuple(Item(**(row | {"role": Role(row["role"]), "split": Split(row["split"])})) for row in body["items"])
    return FrozenManifest(body["base_sha256"], items)


def trained_images(engine: Engine, manifest_id: str, role: Role) -> list[Image]:
    """The images of one role in a manifest, newest first."""
    with reading(engine) as session:
        return list(
            session.exec(
                select(Image)
                .join(ManifestItem, ManifestItem.image_id == Image.id)  # type: ignore[arg-type]
                .where(ManifestItem.manifest_id == manifest_id, ManifestItem.role == role)
                .order_by(Image.id.desc())  # type: ignore[union-attr]
            )
        )


def _written(item: Item) -> dict[str, object]:
    """The fields of an item. A weight of 1 goes unsaid: manifests from before there were weights keep their id."""
    return {name: value for name, value in vars(item).items() if name != "weight" or value != 1.0}


def _item(pooled: Pooled, prompts: dict[int | None, str]) -> Item:
    image, prompt = pooled.image, prompts[pooled.image.prompt_id]
    assert image.id is not None
    return Item(
        image_id=image.id,
        sha256=image.sha256,
        latent_sha256=image.latent_sha256,
        prompt=prompt,
        seed=image.seed,
        width=image.width,
        height=image.height,
        role=pooled.role,
        split=split_of(prompt, image.seed),
        rejects=pooled.rejects,
        keeps=pooled.keeps,
        weight=pooled.weight,
    )


def _save(session: Session, manifest: FrozenManifest) -> None:
    if session.get(Manifest, manifest.id) is not None:
        return
    session.add(Manifest(id=manifest.id, body=manifest.body))
    session.flush()
    rows = [
        {"manifest_id": manifest.id, "image_id": item.image_id, "role": item.role, "split": item.split}
        for item in manifest.items
    ]
    if rows:  # without any, SQLAlchemy would insert one row of nothing
        session.execute(insert(ManifestItem), rows)
