"""What the bench of the loop measures: the plan and the rows of its table."""

from dataclasses import dataclass
from typing import NamedTuple

WOOLFS_GUIDANCE = 13.0
HIGHER_GUIDANCE = 4.0
"""About where the default method's guidance ends up: this row shows what guidance does without a LoRA."""


@dataclass(frozen=True)
class Plan:
    """What is measured, and how much.

    `world` is a name that `find_world` takes. `votes` are those of each round, `rounds` those of the default method.
    The evaluation draws `seeds` pictures of each of `prompts`.
    """

    world: str = "drawn"
    votes: int = 200
    rounds: int = 3
    prompts: int = 24
    seeds: int = 6
    error_rate: float = 0.05
    has_others: bool = True
    """Other objectives and rules too."""
    is_short: bool = False
    """Only the base and one round of the default method, with one drawing and as it ships."""


DEFAULT = "default"
"""What ships: the default settings, with the version's own check."""
ONCE = "nft, same-prompt"
"""The same with one drawing of every picture."""


class Redrawing(NamedTuple):
    """The check's part in a row: a picture that it takes for a reject is drawn up to `again` more times.

    None: as often as the settings say, if the version's own check is on. With `is_always` every picture is drawn so
    often, and the best is kept. With `is_shuffled` every picture gets the score of some other; with `is_by_prompt` the
    score counts only how far a picture departs from its prompt, for which no vote is needed. So many drawings may take
    long: only one of `every` seeds of a prompt is drawn.
    """

    again: int | None
    is_always: bool = False
    is_shuffled: bool = False
    is_by_prompt: bool = False
    every: int = 1


class Row(NamedTuple):
    """One line of the table: the kind of training ("" is no LoRA), the rule that samples with it, the round.

    Under the rule `plain` the LoRA does not steer and only checks.
    """

    name: str
    kind: str = ""
    rule: str = "plain"
    round: int = 0
    redrawing: Redrawing | None = None

    @property
    def label(self) -> str:
        """The row's name in the table; what is measured after every round has one row for each."""
        return label_of(self.name, self.round)


def label_of(name: str, round_: int) -> str:
    """A row's name in the table."""
    return f"{name}, round {round_}" if name in BY_ROUND else name


CHECKED = {
    DEFAULT: ("same-prompt", Redrawing(None)),
    "check-1": ("same-prompt", Redrawing(1)),
    "check-3": ("same-prompt", Redrawing(3)),
    "best-of-2": ("same-prompt", Redrawing(1, is_always=True)),
    "best-of-6": ("same-prompt", Redrawing(5, is_always=True, every=3)),
    "shuffled-check": ("same-prompt", Redrawing(1, is_shuffled=True)),
    "prompt-check": ("same-prompt", Redrawing(1, is_by_prompt=True)),
    "base-check": ("plain", Redrawing(1)),
}
"""The rule and the redrawing of the rows in which the default method's version checks."""
BY_ROUND = (ONCE, *CHECKED)

PLAIN = [Row("base"), Row("base+negative-prompt"), Row("base+guidance"), Row("held-out base")]
ROUNDS = [Row(ONCE, "nft", "same-prompt", n) for n in (1, 2, 3)]
CHECKS = [Row(name, "nft", rule, n, redrawing) for n in (1, 2, 3) for name, (rule, redrawing) in CHECKED.items()]
CONTROLS = [
    Row("random-outputs", "random", "same-prompt", 1),
    Row("random-outputs, check-1", "random", "same-prompt", 1, Redrawing(1)),
    Row("woolf", "wrong", "woolf", 1),
    Row("woolf-tuned", "wrong", "woolf", 1),
    Row("wrong-votes-20", "noisy", "same-prompt", 1),
    Row("wrong-votes-20, check-1", "noisy", "same-prompt", 1, Redrawing(1)),
    Row("held-out", "without", "same-prompt", 1),
]
OTHERS = [
    *(Row(f"{kind}, same-prompt", kind, "same-prompt", 1) for kind in ("sft", "anchored")),
    *(Row(f"{kind}, negative-half", kind, "negative-half", 1) for kind in ("nft", "sft", "anchored", "wrong")),
    Row("random-outputs, negative-half", "random", "negative-half", 1),
]

ROWS = [*PLAIN, *ROUNDS, *CHECKS, *CONTROLS, *OTHERS]


def planned_rows(plan: Plan) -> list[Row]:
    """The rows that a plan measures, in the table's order."""
    if plan.is_short:
        return [PLAIN[0], ROUNDS[0], CHECKS[0]]
    rows = ROWS if plan.has_others else ROWS[: -len(OTHERS)]
    return [row for row in rows if row.name not in BY_ROUND or row.round <= plan.rounds]
