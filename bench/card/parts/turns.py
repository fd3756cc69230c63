"""Do a real worker and a real retrain take turns on the device under examination?"""

from collections.abc import Callable, Iterator
from random import Random

from bench.card.parts.checks import Finding
from bench.card.parts.subject import BUILTIN, PROMPTS, Subject
from bench.turns.trial import LONGEST_DELAY_S, rated_store, trial

SOON_S = 2.0
"""The trial's random moment, at which here nobody is killed, comes within so long."""


def take_turns(subject: Subject, model: str, tell: Callable[[str], None]) -> Iterator[Finding]:
    """One trial of `bench turns` in which nobody is killed, with the built-in model or with the one on the disk."""
    subject.drop()
    own = subject.folder / f"turns-{model}"
    own.mkdir()
    ways = {
        "NAYSAYER_TURNS": "always",
        "NAYSAYER_TURNS_DIR": str(own / "turns"),
        "NAYSAYER_DEVICE": str(subject.device),
    }
    prompts = []
    if model != BUILTIN:
        ways |= {"NAYSAYER_MODEL": subject.settings.model, "NAYSAYER_DTYPE": "bf16"}
        prompts = [f"{prompt}, number {number}" for number in range(8) for prompt in PROMPTS]
    tell(f"a worker draws, {model}")
    template = rated_store(own / "template" / "data", ways | {"NAYSAYER_TURNS": "never"}, prompts)
    tell(f"worker and retrain take turns, {model}")
    found = trial(template, own, "nobody", soon_seed(), ways)
    words = "; ".join(found.faults) or f"{found.votes} votes meanwhile, none lost; never two models at once"
    yield Finding(f"worker and retrain take turns ({model})", not found.faults, f"{words}; {found.seconds:.0f} s")


def soon_seed() -> int:
    """The first seed whose trial does not wait long."""
    return next(seed for seed in range(1000) if Random(seed).uniform(0, LONGEST_DELAY_S) < SOON_S)
