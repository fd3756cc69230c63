"""SHA-256 of the tensors in safetensors files.

The bytes are read in pieces, not mapped: a mapping would be a second resident copy beside the loaded weights.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from safetensors import safe_open

from store.files import sha256_of

PIECE = 2**24
DTYPES = {
    "BF16": "bfloat16",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}
"""torch's names of the types, as far as they are not the word and number of bits that LETTERS gives."""
LETTERS = {"C": "complex", "F": "float", "I": "int", "U": "uint"}


class Weights(NamedTuple):
    """The tensors in `files` whose names begin with `prefix`; None: the bytes of the only file, as they are."""

    files: tuple[Path, ...]
    prefix: str | None = ""


class Place(NamedTuple):
    """Where a tensor lies in its file: type and shape as torch writes them, first byte, first byte after it."""

    kind: str
    start: int
    end: int


def weights_hash(weights: Weights, tell: Callable[[int], object] = lambda read: None) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, in order of names. Tells of the bytes it read.

    Raises SafetensorError for a damaged file.
    """
    if weights.prefix is None:
        return _whole_hash(weights.files[0], tell)
    digests = {name: digest for path in weights.files for name, digest in _digests(path, weights.prefix, tell)}
    return sha256_of(json.dumps(digests, sort_keys=True).encode())


def size_of(weights: Weights) -> int:
    """Bytes that are read."""
    if weights.prefix is None:
        return weights.files[0].stat().st_size
    return sum(place.end - place.start for path in weights.files for place in _places(path, weights.prefix).values())


def _whole_hash(path: Path, tell: Callable[[int], object]) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            found.update(piece)
            tell(len(piece))
    return found.hexdigest()


def _digests(path: Path, prefix: str, tell: Callable[[int], object]) -> Iterator[tuple[str, str]]:
    places = _places(path, prefix)
    with path.open("rb") as file:
        for name, place in sorted(places.items(), key=lambda one: one[1].start):
            found = hashlib.sha256(place.kind.encode())
            for piece in _pieces(file, place):
                found.update(piece)
                tell(len(piece))
            yield name, found.hexdigest()


def _pieces(file: BinaryIO, place: Place) -> Iterator[bytes]:
    file.seek(place.start)
    left = place.end - place.start
    while left:
        piece = file.read(min(PIECE, left))
        if not piece:
            raise OSError(f"{file.name} ends too early; it was replaced while it was read")
        left -= len(piece)
        yield piece


def _places(path: Path, prefix: str) -> dict[str, Place]:
    """The tensors by name, from the file's header: its length in 8 bytes, then JSON."""
    with safe_open(path, framework="pt"), path.open("rb") as file:  # the library refuses what is damaged
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return {
        name: Place(_kind(one["dtype"], one["shape"]), *(8 + length + offset for offset in one["data_offsets"]))
        for name, one in header.items()
        if name != "__metadata__" and name.startswith(prefix)
    }


def _kind(dtype: str, shape: list[int]) -> str:
    """A type and a shape.

    >>> _kind("F16", [2, 3]), _kind("BF16", [4])
    ('torch.float16 (2, 3)', 'torch.bfloat16 (4,)')
    """
    return f"torch.{DTYPES.get(dtype) or LETTERS[dtype[0]] + dtype[1:]} {tuple(shape)}"
