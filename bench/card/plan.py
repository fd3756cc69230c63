"""Which parts are run in the time there is, and how long the rest will last.

Parts run in their order. One is left out when it would leave too little time for the more important ones after it.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from tqdm import tqdm

from bench.card.parts.checks import Finding
from bench.card.parts.subject import Subject

TICK_S, TICK_IN_A_LOG_S = 1.0, 30.0
CARD_PASS, CPU_PASS = 8.0, 4.0
"""A forward and backward pass of two latents takes as long as so many calls of two rows: a card's small passes mostly
start kernels."""


class Found(NamedTuple):
    """What a part found: checks, figures by name, and what it could not look at, in sentences."""

    findings: Sequence[Finding] = ()
    figures: dict[str, Any] = {}  # noqa: RUF012
    left_out: Sequence[str] = ()


class Pace(NamedTuple):
    """How fast a device is: seconds of one UNet call of two rows."""

    call_s: float
    is_card: bool

    def seconds(self, fixed_s: float, calls: float = 0, passes: float = 0) -> float:
        """About how long that many calls and passes take, beside what does not depend on the device."""
        return fixed_s + self.call_s * (calls + passes * (CARD_PASS if self.is_card else CPU_PASS))


class Part(NamedTuple):
    """A part of the check: its name, about how long it takes, how important it is, and what it does.

    `run` is given a function that it calls with the name of each thing it begins. It may give its findings one by one.
    """

    name: str
    seconds: float
    importance: int
    run: Callable[[Callable[[str], None]], Found | Iterable[Finding]]


def run_parts(
    parts: Sequence[Part], subject: Subject, ends_at: float, clock: Callable[[], float] = time.monotonic
) -> list[Found]:
    """What each part found; of one that was left out, a sentence."""
    found: list[Found] = []
    with Progress(sum(part.seconds for part in parts), ends_at - clock()) as progress:
        for place, part in enumerate(parts):
            later = sum(other.seconds for other in parts[place + 1 :] if other.importance > part.importance)
            if clock() + part.seconds + later > ends_at:
                progress.leave_out(part)
                found.append(Found(left_out=[f"{part.name}: about {part.seconds:.0f} s, for which no time was left"]))
                continue
            progress.begin(part)
            found.append(_run(part, subject, progress))
    return found


def _run(part: Part, subject: Subject, progress: "Progress") -> Found:
    """What a part found. One that ends with an error has failed; what it found before stays, and the next part runs."""
    findings: list[Finding] = []
    try:
        found = part.run(progress.tell)
        if isinstance(found, Found):
            return found
        for finding in found:
            findings.append(finding)
        return Found(findings)
    except Exception as error:  # whatever the libraries raise on a device that nobody has tried
        words = " ".join(f"{type(error).__name__}: {error}".split())[:400]
    subject.drop()
    return Found([*findings, Finding(part.name, False, words)])


class Progress:
    """A bar over the estimated seconds of all parts; it moves by itself while a part runs."""

    def __init__(self, seconds: float, most: float) -> None:
        self._bar = tqdm(total=round(min(seconds, most)), bar_format="{percentage:3.0f}%|{bar:20}| {elapsed}, {desc}")
        self._done, self._now, self._began, self._name = 0.0, 0.0, time.monotonic(), ""
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._ticker.join()
        self._bar.n = self._bar.total
        self._bar.set_description_str("done")
        self._bar.close()

    def begin(self, part: Part) -> None:
        """A part begins; the one before has ended."""
        self._done += self._now
        self._now, self._began = part.seconds, time.monotonic()
        self.tell(part.name)

    def leave_out(self, part: Part) -> None:
        """A part takes no time."""
        self._bar.total = max(1, round(self._bar.total - part.seconds))

    def tell(self, name: str) -> None:
        """What is looked at now."""
        self._name = name
        self._show()

    def _show(self) -> None:
        self._bar.n = round(self._done + min(self._now, time.monotonic() - self._began))
        left = max(0, self._bar.total - self._bar.n)
        self._bar.set_description_str(f"about {left} s left: {self._name}")

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S if sys.stderr.isatty() else TICK_IN_A_LOG_S):
            self._show()
