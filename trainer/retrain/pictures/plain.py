"""The plain base's pictures, drawn once and kept: the same prompt, seed and conditions give the same picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from feedback.sample.work import Job
from store.files import sha256_of
from trainer.fit.cache import load_tensors, save_tensors
from trainer.fit.training import Training

MOST_KEPT = 1000
"""Files kept, those used last: as latents at 1024 px 260 MB in float32."""

Draw = Callable[[Sequence[Job]], list[dict[str, Tensor]]]


def draw_plain(training: Training, kind: str, jobs: Sequence[Job], draw: Draw) -> list[dict[str, Tensor]]:
    """What `draw` gives for each job, by the plain base; it is asked only for those that are not kept.

    `kind` says what it gives. What is lost or damaged is drawn again.
    """
    paths = [_path(training, kind, job) for job in jobs]
    found = [_take(path) for path in paths]
    missing = [place for place, one in enumerate(found) if one is None]
    if missing:
        drawn = draw([jobs[place] for place in missing])
        for place, one in zip(missing, drawn, strict=True):
            found[place] = save_tensors(paths[place], one)
        _forget_oldest(_folder(training))
    return [one for one in found if one is not None]


def count_missing(training: Training, kind: str, jobs: Sequence[Job]) -> int:
    """How many of the jobs have to be drawn."""
    return sum(not _path(training, kind, job).exists() for job in jobs)


def _take(path: Path) -> dict[str, Tensor] | None:
    found = load_tensors(path)
    if found is not None:
        path.touch()
    return found


def _path(training: Training, kind: str, job: Job) -> Path:
    base = training.base
    content = "\n".join([kind, base.sha256, base.plain.conditions.body, str(job.seed), job.prompt])
    return _folder(training) / sha256_of(content.encode())


def _folder(training: Training) -> Path:
    return training.cache.folder / "plain"


def _forget_oldest(folder: Path) -> None:
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in files[MOST_KEPT:]:
        path.unlink(missing_ok=True)
