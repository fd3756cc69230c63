"""Do whole fits do what they promise: resume, the same bytes again, and no version from a loss that is NaN?"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from sqlmodel import select

from bench.card.parts.checks import Finding
from bench.card.parts.subject import Subject
from feedback.runs import newest_run
from store.engine import reading
from store.errors import Interrupted, NonFiniteLoss
from store.layout import layout_of
from store.migrate import open_store
from store.tables import RunStatus, Version
from trainer.fit.fit import Fitted, Watch
from trainer.retrain.retrain import retrain

STEPS = {"cuda": 4}
STEPS_ON_A_CPU = 2
STOPPED_AFTER = 1
BATCH, ROWS = 2, 2
SMALL: dict[str, Any] = {
    "train_batch": BATCH,
    "micro_batch": ROWS,
    "lora_rank": 4,
    "lora_layers": "attention",
    "learning_rate": 0.02,
}
"""The rate is large enough for the first step to move the second one's loss."""
DIVERGES = 1e30
"""A learning rate under which the second step's loss is NaN."""
CLOSE = 1e-5
"""Relative difference up to which two losses count as the same."""

Tell = Callable[[str], None]


def steps_on(device: torch.device) -> int:
    """How many steps these fits take."""
    return STEPS.get(device.type, STEPS_ON_A_CPU)


def repeatable(subject: Subject, tell: Tell) -> Iterator[Finding]:
    """A fit that was stopped and goes on ends as an unbroken one does, and a second fit gives the same bytes."""
    tell("an unbroken fit")
    unbroken = _fit(subject)
    tell("a fit that is stopped, and goes on")
    yield same_losses(_stop_and_resume(subject), unbroken)
    tell("a second fit, deterministic")
    yield same_bytes(_fit(subject), unbroken)


def same_losses(resumed: Fitted, unbroken: Fitted) -> Finding:
    """Whether all losses agree, up to rounding."""
    pairs = [(ours["loss"], theirs["loss"]) for ours, theirs in zip(resumed.curve, unbroken.curve, strict=True)]
    apart = max(abs(ours - theirs) / abs(theirs) for ours, theirs in pairs)
    last = f"loss {pairs[-1][0]:.6g} and {pairs[-1][1]:.6g} at step {len(pairs)}"
    return Finding(
        "a resumed fit has the loss of an unbroken one",
        apart <= CLOSE,
        f"{last}; the losses differ by at most {apart:.1e} of their size, at most {CLOSE:g} allowed",
    )


def same_bytes(again: Fitted, before: Fitted) -> Finding:
    """Whether both fits have the same weights, to the bit."""
    differ = [name for name, tensor in before.weights.items() if not torch.equal(tensor, again.weights[name])]
    words = f"{len(before.weights)} tensors, {len(differ)} of which differ"
    return Finding("NAYSAYER_DETERMINISTIC=1 gives the same bytes twice", not differ, words)


def _fit(subject: Subject, watch: Watch | None = None, folder: Path | None = None) -> Fitted:
    steps = steps_on(subject.device)
    with subject.taken_off():
        return subject.fit(subject.fit_px, watch, folder, train_steps=steps, deterministic=True, **SMALL)


def _stop_and_resume(subject: Subject) -> Fitted:
    asked, folder = count(1), subject.folder / "stopped"
    try:
        _fit(subject, Watch(should_stop=lambda: next(asked) >= STOPPED_AFTER), folder)
    except Interrupted:
        return _fit(subject, folder=folder)
    raise AssertionError("the fit did not stop when it was asked to")


def refused_when_nan(subject: Subject, tell: Tell) -> Iterator[Finding]:
    """A whole retrain whose loss becomes NaN ends in its own sentence, and nothing of it is published."""
    tell("a retrain that diverges")
    settings = subject.rated(subject.fit_px).model_copy(update=SMALL | {"train_steps": 3, "learning_rate": DIVERGES})
    subject.drop()
    sentence = ""
    try:
        retrain(settings, force=True)
    except NonFiniteLoss as error:
        sentence = str(error)
    engine = open_store(settings)
    run = newest_run(engine)
    with reading(engine) as session:
        versions = list(session.exec(select(Version.number)))
    engine.dispose()
    is_recorded = run is not None and run.status is RunStatus.failed and run.message == sentence
    holds = bool(sentence) and is_recorded and versions == [0] and not _folders(layout_of(settings).versions)
    words = sentence or f"it was not refused; the run is {run.status.value if run else 'not recorded'}"
    yield Finding("a fit whose loss becomes NaN is refused", holds, words)


def _folders(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if one.is_dir()] if path.is_dir() else []
