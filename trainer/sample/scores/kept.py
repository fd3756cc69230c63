"""Scores that were made before: one file a version and way of scoring, to which each batch is appended.

They are as the check gives them from pixels. The scale, which is kept beside them, brings them to that of the held-out
pictures."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from feedback.check.version_check import VersionCheck, match_scale
from store.files import make_folder, sha256_of, write_file
from store.layout import Layout
from store.settings import Settings
from store.tables import Version

SCALE = ".scale"
LEAST_COMPARED = 8
"""With fewer pictures that were scored both ways there is no scale to bring scores to."""


class TwoWays(NamedTuple):
    """The scores of the same pictures from the VAE's mean for their pixels, and from the sampler's own latents."""

    from_pixels: list[float]
    from_latents: list[float]

    def matched(self, scores: list[float]) -> list[float]:
        """Scores from pixels, on the scale of those from latents, on which cut and held-out scores are."""
        return match_scale(scores, *self) if len(self.from_pixels) >= LEAST_COMPARED else scores


class KeptScores:
    """The scores by picture and prompt; a line that was cut off by a kill is passed over. No scale: none was made.

    Without `is_lasting` only the newest are there, and only the scale is kept in a file.
    """

    def __init__(self, path: Path, *, is_lasting: bool = True) -> None:
        self.path, self.is_lasting = path, is_lasting
        self.scores = dict(_read(path)) if is_lasting else {}
        self.scale = _read_scale(path.with_suffix(SCALE))
        self.is_scale_new = False

    def keep_scale(self, scale: TwoWays) -> None:
        """Keeps the scale, in a file too."""
        self.scale, self.is_scale_new = scale, True
        make_folder(self.path.parent)
        write_file(self.path.with_suffix(SCALE), json.dumps(scale).encode())

    def add(self, found: Mapping[str, float]) -> None:
        """Keeps more scores, in the file too."""
        if not self.is_lasting:
            self.scores = dict(found)
            return
        self.scores |= found
        make_folder(self.path.parent)
        lines = "".join(f"{key} {score!r}\n" for key, score in found.items())
        with self.path.open("ab") as file:
            file.write(f"\n{lines}".encode())  # the last line may have been cut off


def scores_path(layout: Layout, settings: Settings, version: Version, check: VersionCheck) -> Path:
    """The file of a version's scores, under settings that decide what its check reads and how exactly."""
    under = [version.number, version.sha256, version.base_sha256, check.as_json()["how"]]
    under += ["from pixels", settings.dtype, settings.base_quantization, settings.weighs_prompts]
    name = sha256_of(json.dumps(under, sort_keys=True, default=str).encode())
    return layout.cache / "scores" / f"v{version.number}-{name[:16]}.txt"


def key_of(pixels_sha256: str, prompt: str) -> str:
    """What a score is kept under: the same pixels score otherwise under another prompt."""
    return hashlib.sha256(f"{pixels_sha256}\n{prompt}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _read_scale(path: Path) -> TwoWays | None:
    with suppress(OSError, ValueError, TypeError):
        return TwoWays(*json.loads(path.read_bytes()))
    return None


def _read(path: Path) -> Iterator[tuple[str, float]]:
    if not path.exists():
        return
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            key, _, score = line.rstrip("\n").partition(" ")
            with suppress(ValueError):
                if line.endswith("\n") and len(key) == 32 and math.isfinite(value := float(score)):
                    yield key, value
