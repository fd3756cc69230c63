"""Scores that were made before: one file a version and way of scoring, to which each batch is appended."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from feedback.check.version_check import VersionCheck
from store.files import make_folder, sha256_of
from store.layout import Layout
from store.settings import Settings
from store.tables import Version


class KeptScores:
    """The scores by picture and prompt; a line that was cut off by a kill is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scores = dict(_read(path))

    def add(self, found: Mapping[str, float]) -> None:
        """Keeps more scores, in the file too."""
        self.scores |= found
        make_folder(self.path.parent)
        lines = "".join(f"{key} {score!r}\n" for key, score in found.items())
        with self.path.open("ab") as file:
            file.write(f"\n{lines}".encode())  # the last line may have been cut off


def kept_scores(layout: Layout, settings: Settings, version: Version, check: VersionCheck) -> KeptScores:
    """The scores of a version's check under settings that decide what it reads and how exactly."""
    under = [version.number, version.sha256, version.base_sha256, check.as_json()["how"]]
    under += [settings.dtype, settings.base_quantization, settings.weighs_prompts]
    name = sha256_of(json.dumps(under, sort_keys=True, default=str).encode())
    return KeptScores(layout.cache / "scores" / f"v{version.number}-{name[:16]}.txt")


def key_of(pixels_sha256: str, prompt: str) -> str:
    """What a score is kept under: the same pixels score otherwise under another prompt."""
    return hashlib.sha256(f"{pixels_sha256}\n{prompt}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _read(path: Path) -> Iterator[tuple[str, float]]:
    if not path.exists():
        return
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            key, _, score = line.rstrip("\n").partition(" ")
            with suppress(ValueError):
                if line.endswith("\n") and len(key) == 32 and math.isfinite(value := float(score)):
                    yield key, value
