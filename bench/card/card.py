"""What this card does with SDXL at full size: naysayer bench card

Parts, in order: correctness; whole fits that resume and repeat; on CUDA what fits on small cards, speed and memory; a
retrain that diverges; other projects' scripts; worker and retrain in turns.
"""

import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bench.card.parts.checks import Finding, correctness, inputs_of, predict
from bench.card.parts.fits import refused_when_nan, repeatable, steps_on
from bench.card.parts.limits import ends_well, fits_on, smaller_cards
from bench.card.parts.meter import Meter
from bench.card.parts.peers import Scripts, beside_peers
from bench.card.parts.speed import decoding_memory, drawing_speed, quantised_fits, retrain_speed
from bench.card.parts.subject import BUILTIN, FULL_SIZE, Subject, prepare
from bench.card.parts.turns import take_turns
from bench.card.plan import Found, Pace, Part, Progress, run_parts
from trainer.base.memory import offload_encoders
from trainer.base.model import silence_libraries
from trainer.card.loading import quantizers_of

MINUTES = 8.0
LIBRARIES = ("torch", "diffusers", "peft", "transformers", "accelerate")
NO_CARD = "no CUDA here: only what can be checked on a CPU; memory and speed need a card"
WRITING_S, FULL_TURNS_S = 60.0, 220.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Card:
    """The device, the model, and everything that was found; `left_out` says in sentences what was not looked at."""

    device: str
    memory_gb: float
    model: str
    side_px: int
    fit_px: int
    full_px: int
    seconds: float
    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    date: str = ""
    libraries: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every check that was made holds."""
        return all(finding.holds for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The record, docs/card.json."""
        return asdict(self) | {"findings": [finding._asdict() for finding in self.findings]}

    @property
    def words(self) -> str:
        """The record for the terminal."""
        about = f"{self.device}, {self.memory_gb:.1f} GB, {self.model}, {self.side_px} px, {self.seconds:.0f} s"
        lines = [f"{'holds' if one.holds else 'FAILS':<6} {one.name}: {one.words}" for one in self.findings]
        figures = [f"{name}: {value}" for name, value in self.figures.items()]
        return "\n".join([about, *lines, *figures, *(f"left out: {one}" for one in self.left_out)])


def run_card(
    wanted: str = "auto",
    name: str = FULL_SIZE,
    scripts: Scripts = Scripts(),
    minutes: float = MINUTES,
    folder: Path | None = None,
) -> Card:
    """Runs every part that this device can run in the time there is. Files go into a new folder in `folder`."""
    scripts.require()
    silence_libraries()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="naysayer-card-", dir=folder) as made:
        with Progress(WRITING_S, WRITING_S) as progress:
            progress.begin(Part(f"writing the model: {name}", WRITING_S, 0, lambda tell: Found()))
            subject = prepare(Path(made), name, wanted, scripts.tokenizers)
        device, memory = subject.base.device_words, Meter(subject.device).whole
        found = examine(subject, scripts, began + 60 * minutes)
        subject.drop()
    return Card(
        device,
        memory / 1e9,
        subject.name,
        subject.side_px,
        subject.fit_px,
        subject.full_px,
        round(time.monotonic() - began),
        [finding for one in found for finding in one.findings],
        {key: value for one in found for key, value in one.figures.items()},
        [sentence for one in found for sentence in one.left_out],
        datetime.now(UTC).date().isoformat(),
        {library: version(library) for library in LIBRARIES} | {"python": platform.python_version()},
    )


def examine(subject: Subject, scripts: Scripts, ends_at: float) -> list[Found]:
    """What each part finds, and why some found nothing."""
    is_card = subject.device.type == "cuda"
    pace = Pace(_call_s(subject, subject.side_px), is_card)
    parts = checks(subject, pace)
    if is_card:
        parts += on_a_card(subject, Pace(_call_s(subject, subject.full_px), is_card))
    parts += processes(subject, pace, scripts, ends_at)
    left_out = [*([] if is_card else [NO_CARD]), *scripts.missing]
    return [*run_parts(parts, subject, ends_at), Found(left_out=left_out)]


def checks(subject: Subject, pace: Pace) -> list[Part]:
    """Correctness, by itself and by whole fits."""
    steps = 3 * steps_on(subject.device)
    return [
        Part(
            "correctness",
            pace.seconds(25, calls=14, passes=7),
            9,
            partial(_correctness, subject),
        ),
        Part(
            "resuming, and the same bytes again",
            pace.seconds(15, calls=steps * _small(subject), passes=steps * _small(subject)),
            8,
            partial(repeatable, subject),
        ),
    ]


def on_a_card(subject: Subject, pace: Pace, cards: Sequence[int] | None = None) -> list[Part]:
    """What fits, and how fast it is."""
    cards = smaller_cards(Meter(subject.device).for_us.free) if cards is None else cards
    kinds, quantised = len(quantizers_of(subject.device)), partial(_figures, "quantised", quantised_fits, subject)
    return [
        *(
            Part(f"what fits on {card} GB", pace.seconds(10, 6, 8), 7, partial(fits_on, subject, card))
            for card in cards
        ),
        Part("running out of memory", pace.seconds(10, passes=14), 7, partial(ends_well, subject)),
        Part("drawing speed", pace.seconds(8, calls=380), 5, partial(_figures, "drawing", drawing_speed, subject)),
        Part("retrain speed", pace.seconds(15, passes=28), 5, partial(_figures, "retrain", retrain_speed, subject)),
        Part("decoding", pace.seconds(5, calls=30), 3, partial(_figures, "decoding", decoding_memory, subject)),
        *([Part("a quantised base", pace.seconds(35 * kinds, passes=12 * kinds), 2, quantised)] if kinds else []),
    ]


def processes(subject: Subject, pace: Pace, scripts: Scripts, ends_at: float) -> list[Part]:
    """What runs in separate processes, or loads the model again; the base has left this process by then."""
    sides = 1 + len(scripts.given)
    found = [
        Part(
            "a fit that diverges",
            pace.seconds(35, passes=4 * _small(subject)),
            8,
            partial(refused_when_nan, subject),
        )
    ]
    if scripts.given:
        own = partial(_peers, subject, scripts)
        found.append(Part("beside other scripts", pace.seconds(40 + 45 * sides, passes=40 * sides), 6, own))
    turns = 100.0 if pace.is_card else 130.0
    return [*found, Part("worker and retrain in turns", turns, 6, partial(_turns, subject, ends_at))]


def _small(subject: Subject) -> float:
    """How much smaller the work of the whole fits is than that of the other checks."""
    return (subject.fit_px / subject.side_px) ** 2


def _call_s(subject: Subject, side_px: int) -> float:
    """Seconds of a call of two rows, once it was made; on a CPU the first one is timed, as it takes long."""
    base = subject.base
    inputs = inputs_of(base, side_px, 2)
    seconds = 0.0
    for _ in range(2 if base.device.type == "cuda" else 1):
        began = time.monotonic()
        with torch.no_grad():
            predict(base, inputs).sum().item()
        seconds = time.monotonic() - began
    return seconds


def _correctness(subject: Subject, tell: Tell) -> Iterator[Finding]:
    with offload_encoders(subject.base):
        yield from correctness(subject.base, subject.side_px, tell)


def _figures(name: str, measure: Callable[[Subject, Tell], dict[str, Any]], subject: Subject, tell: Tell) -> Found:
    return Found(figures={name: measure(subject, tell)})


def _peers(subject: Subject, scripts: Scripts, tell: Tell) -> Found:
    figures, failed = beside_peers(subject, scripts, tell)
    return Found(figures={"beside": figures}, left_out=failed)


def _turns(subject: Subject, ends_at: float, tell: Tell) -> Iterator[Finding]:
    """With the full-size model where there is time for it."""
    is_long = subject.device.type == "cuda" and ends_at - time.monotonic() > FULL_TURNS_S
    return take_turns(subject, subject.name if is_long else BUILTIN, tell)
