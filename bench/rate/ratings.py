"""What real raters of generated pictures do, from published ratings: naysayer bench ratings FOLDER

FOLDER holds `imagenhub/Text-To-Image_rater1.tsv` to 3 (TIGER-AI-Lab/ImagenHub, MIT), `geneval_annotations_sdv2.csv`
(djghosh13/geneval, MIT) and `intel_annotations_df_230311.csv`.
"""

import csv
import json
import math
from pathlib import Path
from statistics import median
from typing import Any

from feedback.people.agreement import ac1, alpha, percent_agreement

Votes = list[list[int | None]]
"""One row for each picture, one column for each rater: 1 reject, 0 keep, None not rated."""


def imagenhub(folder: Path, quality: str) -> Votes:
    """ImagenHub's text-to-image ratings, `semantic` or `perceptual`: below 1 (of 0, 0.5, 1) is a reject."""
    place = {"semantic": 0, "perceptual": 1}[quality]
    raters = [_table(folder / "imagenhub" / f"Text-To-Image_rater{n}.tsv", "\t") for n in (1, 2, 3)]
    models = [name for name in raters[0][0] if name != "uid"]
    return [
        [None if not row.get(model) else int(json.loads(row[model])[place] < 1) for row in rows]
        for rows in zip(*raters, strict=True)
        for model in models
    ]


def geneval(folder: Path) -> Votes:
    """GenEval's ratings of Stable Diffusion 2.1 by five raters: quality 3 or less (of 1 to 4) is a reject."""
    images: dict[str, list[int | None]] = {}
    for row in _table(folder / "geneval_annotations_sdv2.csv", ","):
        images.setdefault(row["Input.index"], []).append(int(int(row["Answer.task-quality"]) <= 3))
    return list(images.values())


def seconds_on_page(folder: Path) -> list[float]:
    """Seconds that GenEval's raters took for each picture (seven questions), in ascending order."""
    return sorted(float(row["Answer.ee"]) for row in _table(folder / "geneval_annotations_sdv2.csv", ","))


def intel_rejects(folder: Path) -> tuple[int, int]:
    """Thumbs down, and all thumbs, of Intel's one rater."""
    said = [row["annotation"] for row in _table(folder / "intel_annotations_df_230311.csv", ",")]
    return said.count("False"), len(said)


def counts_of(votes: Votes) -> list[tuple[int, int]]:
    """Rejects and keeps of each picture."""
    return [(sum(v == 1 for v in row), sum(v == 0 for v in row)) for row in votes]


def slip_rate(votes: Votes) -> float:
    """The share e of wrong votes that explains how often two raters disagree, if each errs independently.

    Two such raters disagree with probability 2e(1 - e).
    """
    agreed = percent_agreement(counts_of(votes))
    assert agreed is not None
    return (1 - math.sqrt(max(0.0, 1 - 2 * (1 - agreed)))) / 2


def spread(seconds: list[float]) -> float:
    """Sigma of a log-normal with the quartiles of `seconds`."""
    low, high = seconds[len(seconds) // 4], seconds[3 * len(seconds) // 4]
    return math.log(high / low) / (2 * 0.674490)


def figures(folder: Path) -> dict[str, Any]:
    """Agreement, slips, pace and rates of the published ratings."""
    found: dict[str, Any] = {}
    sets = {f"imagenhub {quality}": imagenhub(folder, quality) for quality in ("semantic", "perceptual")}
    for name, votes in (sets | {"geneval quality": geneval(folder)}).items():
        counts = counts_of(votes)
        rejects, judged = sum(row[0] for row in counts), sum(map(sum, counts))
        found[name] = {
            "images": len(counts),
            "votes": judged,
            "rejects": rejects / judged,
            "agreement": percent_agreement(counts),
            "alpha": alpha(counts),
            "ac1": ac1(counts),
            "slip_rate": slip_rate(votes),
        }
    seconds = seconds_on_page(folder)
    found["pace"] = {"median_s": median(seconds), "spread": spread(seconds)}
    down, thumbs = intel_rejects(folder)
    found["intel"] = {"votes": thumbs, "rejects": down / thumbs}
    return found


def _table(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))
