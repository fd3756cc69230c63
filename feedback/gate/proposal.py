"""Another strength of a version: a new version with the same LoRA, which its pairs have yet to call better.

A version never changes, so its votes stay those of one strength.
"""

import json
import struct
from collections.abc import Mapping

from sqlalchemy import Engine
from sqlmodel import select

from feedback.gate.evidence import LORA_FILES, failed_checks
from feedback.versions import get_version, next_number, publish
from store.engine import RETRAIN_LOCK, reading, writing
from store.errors import BadRequest, DamagedStore
from store.files import sha256_of
from store.layout import Layout
from store.locks import holding
from store.safety.staging import put_version
from store.tables import Version

STRONGEST = 20.0
HEADER_KEY = "naysayer.strength"
BUSY = "a retrain runs on this store; propose the strength again when it has ended"
NOT_KEPT = ("number", "created_at", "damage")


def propose_strength(engine: Engine, layout: Layout, number: int, strength: float, reason: str) -> int:
    """The number of a new version: the LoRA of v`number` at another strength, published as challenger.

    Raises BadRequest for the plain base, a strength that it has already or cannot have, and without a reason;
    DamagedStore for altered files; Busy while a retrain runs.
    """
    version = get_version(engine, number)
    _require_new(engine, version, strength)
    if not reason.strip():
        raise BadRequest("say why this strength, for the history; nothing was changed")
    with holding(engine, RETRAIN_LOCK, BUSY):
        if wrong := failed_checks(layout, version):
            raise DamagedStore(f"v{number} was not used: {'; '.join(wrong)}; restore its files from a backup")
        files = _read(layout, version, strength)
        hashes = {column: sha256_of(files[name]) for name, column in LORA_FILES}
        put_version(layout, hashes["sha256"], files, lambda folder: None)  # the tensors are those that were checked
        own = hashes | {"parent": number, "strength": strength, "strength_of": origin_of(version)}
        kept = {name: value for name, value in version.model_dump().items() if name not in NOT_KEPT}
        with writing(engine) as session:
            made = Version(**kept | own, number=next_number(session))
            publish(session, made, f"v{number} at strength {strength:g} instead of {version.strength:g}: {reason}")
            return made.number


def at_strength(engine: Engine, version: Version, strength: float) -> int | None:
    """The version that has the same LoRA at that strength."""
    with reading(engine) as session:
        versions = list(session.exec(select(Version)))
    same = (one.number for one in versions if origin_of(one) == origin_of(version) and one.strength == strength)
    return next(same, None)


def origin_of(version: Version) -> int:
    """The version that a retrain or an import made of the LoRA."""
    return version.number if version.strength_of is None else version.strength_of


def with_strength(file: bytes, strength: float) -> bytes:
    """A safetensors file with the strength in its header; the tensors stay as they are."""
    (size,) = struct.unpack_from("<Q", file)
    header = json.loads(file[8 : 8 + size])
    known: Mapping[str, str] = header.get("__metadata__", {})
    header["__metadata__"] = dict(sorted({**known, HEADER_KEY: f"{strength:g}"}.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + file[8 + size :]


def _require_new(engine: Engine, version: Version, strength: float) -> None:
    if version.sha256 is None:
        raise BadRequest("v0 is the plain base, which has no strength; nothing was changed")
    if not 0 < strength <= STRONGEST:
        raise BadRequest(
            f"a strength is above 0 and at most {STRONGEST:g}; {strength:g} was given; nothing was changed"
        )
    if (same := at_strength(engine, version, strength)) is not None:
        raise BadRequest(f"v{same} draws at strength {strength:g} already; nothing was changed")


def _read(layout: Layout, version: Version, strength: float) -> dict[str, bytes]:
    folder, loras = layout.fetch_version(version.sha256 or ""), {name for name, _ in LORA_FILES}
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return {name: with_strength(data, strength) if name in loras else data for name, data in files.items()}
