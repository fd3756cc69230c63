"""What the bench of the loop measures: the plan and the rows of its table."""

from dataclasses import dataclass
from typing import NamedTuple

WOOLFS_GUIDANCE = 13.0
HIGHER_GUIDANCE = 4.0
"""About where the default method's guidance ends up: this row shows what guidance does without a LoRA."""


@dataclass(frozen=True)
class Plan:
    """What is measured, and how much: the world's name as `find_world` takes it, votes in each round, rounds of the
    default method, prompts and seeds of the evaluation."""

    world: str = "drawn"
    votes: int = 200
    rounds: int = 3
    prompts: int = 24
    seeds: int = 3
    error_rate: float = 0.05
    is_short: bool = False
    """Only the base and one round of the default method."""


DEFAULT = "nft, same-prompt"


def label_of(name: str, round_: int) -> str:
    """A row's name in the table; the default method has one row for each round."""
    return f"{name}, round {round_}" if name == DEFAULT else name


class Row(NamedTuple):
    """One line of the table: the kind of training ("" is no LoRA), the rule that samples with it, the round."""

    name: str
    kind: str = ""
    rule: str = "plain"
    round: int = 0

    @property
    def label(self) -> str:
        """The row's name in the table."""
        return label_of(self.name, self.round)


PLAIN = [Row("base"), Row("base+negative-prompt"), Row("base+guidance"), Row("held-out base")]
ROUNDS = [Row(DEFAULT, "nft", "same-prompt", n) for n in (1, 2, 3)]
CONTROLS = [
    Row("random-outputs", "random", "same-prompt", 1),
    Row("woolf", "wrong", "woolf", 1),
    Row("woolf-tuned", "wrong", "woolf", 1),
    Row("wrong-votes-20", "noisy", "same-prompt", 1),
    Row("held-out", "without", "same-prompt", 1),
]
OTHERS = [
    *(Row(f"{kind}, same-prompt", kind, "same-prompt", 1) for kind in ("sft", "anchored")),
    *(Row(f"{kind}, negative-half", kind, "negative-half", 1) for kind in ("nft", "sft", "anchored", "wrong")),
    Row("random-outputs, negative-half", "random", "negative-half", 1),
]


ROWS = [*PLAIN, *ROUNDS, *CONTROLS, *OTHERS]


def planned_rows(plan: Plan) -> list[Row]:
    """The rows that a plan measures, in the table's order."""
    return [PLAIN[0], ROUNDS[0]] if plan.is_short else [*PLAIN, *ROUNDS[: plan.rounds], *CONTROLS, *OTHERS]
