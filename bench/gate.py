"""The gate under simulation: how often it promotes a better version, and one that is no better."""

from typing import NamedTuple

import numpy as np

from feedback.gate.gate import CAP, ENOUGH
from feedback.statistics import log_e_value

DISCORDANT = 0.30


class Case(NamedTuple):
    """True reject rates of champion and challenger, pairs at most, and the share of pairs that are discordant."""

    champion: float
    challenger: float
    pairs: int
    discordant: float = DISCORDANT


NULL = Case(0.40, 0.40, CAP)
SMALL = Case(0.40, 0.30, 400)
LARGE = Case(0.40, 0.15, 60)
TABLE = (
    NULL,
    Case(0.40, 0.40, CAP, 0.6),
    Case(0.40, 0.45, CAP),
    SMALL,
    LARGE,
    Case(0.40, 0.30, 200),
    Case(0.40, 0.35, 200),
    Case(0.40, 0.35, CAP),
    Case(0.40, 0.20, 200),
)


class Result(NamedTuple):
    """The share of runs that promoted, and the median number of pairs until they did."""

    promoted: float
    median_pairs: float | None


def simulate_gate(case: Case, runs: int, seed: int = 0) -> Result:
    """Applies the gate's rule after every pair, until it promotes or the pairs end."""
    random = np.random.default_rng(seed)
    better = (case.discordant + case.champion - case.challenger) / 2
    draws = random.random((runs, case.pairs))
    mended = np.cumsum(draws < better, axis=1)
    spoilt = np.cumsum((draws >= better) & (draws < case.discordant), axis=1)
    reached = evidence_table(case.pairs)[mended, spoilt] >= ENOUGH
    is_promoted = reached.any(axis=1)
    took = reached.argmax(axis=1)[is_promoted] + 1
    return Result(float(is_promoted.mean()), float(np.median(took)) if len(took) else None)


def evidence_table(pairs: int) -> np.ndarray:
    """`log_e_value` for every count of mended and spoilt pairs, up to `pairs` in all."""
    return np.array(
        [[log_e_value(m, s) if m + s <= pairs else 0.0 for s in range(pairs + 1)] for m in range(pairs + 1)]
    )


def bench_gate(runs: int, seed: int = 0) -> dict[str, float]:
    """The three figures that the gate must keep: false promotions at most 5 %, power at least 80 %."""
    return {
        "false_promotion": simulate_gate(NULL, runs, seed).promoted,
        "power_040_030_400": simulate_gate(SMALL, runs, seed).promoted,
        "power_040_015_60": simulate_gate(LARGE, runs, seed).promoted,
        "runs": runs,
    }


def table(runs: int, seed: int = 0) -> str:
    """The cases as a Markdown table."""
    lines = ["| champion | challenger | discordant | pairs at most | promoted | median pairs |", "|" + " --- |" * 6]
    for case in TABLE:
        result = simulate_gate(case, runs, seed)
        median = "–" if result.median_pairs is None else f"{result.median_pairs:.0f}"
        lines.append(
            f"| {case.champion:.2f} | {case.challenger:.2f} | {case.discordant:.0%} | {case.pairs:,} "
            f"| {result.promoted:.1%} | {median} |"
        )
    return "\n".join(lines)
