"""From finished rows to the record of the bench: every method with its counts and intervals."""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from importlib.metadata import version
from operator import attrgetter

from pydantic import BaseModel, ConfigDict, Field

from bench.loop.loop import Finished
from bench.loop.rows import BY_ROUND, DEFAULT, SHIPPED, Plan, label_of
from bench.loop.worlds import World, find_world
from feedback.check.telling import auc, auc_within
from feedback.statistics import paired_difference, wilson

COMPARED = ("random-outputs", "woolf", "woolf-tuned")
"""The controls that the default method is compared with directly."""

Rows = Sequence[Finished]
Faults = Sequence[Sequence[str]]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Rate(_Entry):
    """The share of n pictures, with its 95 % interval (Wilson)."""

    rate: float
    n: int
    low: float
    high: float


class Change(_Entry):
    """The change of the share wrong on the same prompts and seeds, after minus before, with its 95 % interval."""

    paired: float
    paired_low: float
    paired_high: float
    mended: int
    broke: int


class Method(Change, Rate):
    """One method: its share wrong, the change against the base, and how it came about.

    `diversity` and `diversity_with_mistakes` are relative to the base; `adherence` is the share that follows
    the prompt. `faults` counts the pictures with each fault. `strengths` and `guidance_scales` have one value for each
    replicate. `time` is how long a picture takes, all its `drawings` and their check included, relative to one drawing of
    the default method. `auc` tells how well the method's LoRA knows which of its own pictures, drawn once, are wrong, and
    `base_auc` which of the base's; `within` counts only pairs of pictures of the same prompt.
    """

    diversity: float
    diversity_with_mistakes: float
    adherence: float
    faults: dict[str, int]
    votes: int
    train_seconds: float
    strengths: list[float]
    guidance_scales: list[float]
    replicates: int
    drawings: float | None = None
    time: float | None = None
    auc: float | None = None
    auc_within: float | None = None
    base_auc: float | None = None
    base_auc_within: float | None = None
    default_against_it: Change | None = None
    last_default_against_it: Change | None = None


class HeldOut(_Entry):
    """What nobody rated: pictures of one subject judged wrong, and pictures of another, `shown_by`, with one fault; at
    the base, after a round."""

    subject: str
    fault: str
    shown_by: str
    subject_before: Rate = Field(
        validation_alias="subject, held-out base", serialization_alias="subject, held-out base"
    )
    fault_before: Rate = Field(validation_alias="fault, held-out base", serialization_alias="fault, held-out base")
    subject_after: Rate = Field(validation_alias="subject, held-out", serialization_alias="subject, held-out")
    fault_after: Rate = Field(validation_alias="fault, held-out", serialization_alias="fault, held-out")


class WorldRecord(_Entry):
    """What was found on one world.

    `methods` maps a row's label to it. What is measured after every round also stands under its name without a round, with
    its last. `default` is the name of what ships, which stands under "default" too.
    """

    default: str
    rounds: int
    replicates: int
    negative_prompt: str
    methods: dict[str, Method]
    held_out: HeldOut


class Record(_Entry):
    """Everything the bench found, by the world's name."""

    votes_a_round: int
    strengths_tried: list[float]
    machine: str
    date: str
    worlds: dict[str, WorldRecord]

    def to_json(self, indent: int | None = None) -> str:
        """The record as one JSON object."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=indent)


def make_record(measured: Sequence[tuple[Plan, Rows]]) -> Record:
    """The record of the rows of each plan; plans differ only in their world."""
    from trainer.retrain.strength import STRENGTHS

    return Record(
        votes_a_round=measured[0][0].votes,
        strengths_tried=list(STRENGTHS["same-prompt"]),
        machine=f"{platform.machine()} CPU, torch {version('torch')}",
        date=date.today().isoformat(),
        worlds={find_world(plan.world).name: world_record(rows, plan) for plan, rows in measured},
    )


def world_record(rows: Rows, plan: Plan) -> WorldRecord:
    """The record of all rows of one world; the base's row must be among them."""
    world = find_world(plan.world)
    last = max((row.round for row in rows if row.row == DEFAULT), default=0)
    labels = dict.fromkeys(row.label for row in rows)
    methods = {label: _method(rows, [row for row in rows if row.label == label], plan, last) for label in labels}
    latest = {name: methods[label] for name in BY_ROUND if (label := label_of(name, last)) in methods}
    return WorldRecord(
        default=SHIPPED,
        rounds=last,
        replicates=len({row.replicate for row in rows}),
        negative_prompt=world.negative_prompt,
        methods=methods | latest | ({"default": latest[SHIPPED]} if SHIPPED in latest else {}),
        held_out=_held_out(rows, plan, world),
    )


def _method(rows: Rows, own: Rows, plan: Plan, last: int) -> Method:
    name = own[0].row
    base = _of(rows, "held-out base" if name.startswith("held-out") else "base")
    faults = [found for row in own for found in row.faults]
    is_compared = name in COMPARED and last
    not_followed = find_world(plan.world).not_followed
    return Method(
        **_rate([bool(found) for found in faults]).model_dump(),
        **_change(base, own, plan).model_dump(),
        diversity=_relative(base, own, attrgetter("right_spread")),
        diversity_with_mistakes=_relative(base, own, attrgetter("spread")),
        adherence=_mean(float(not_followed.isdisjoint(found)) for found in faults),
        faults=dict(Counter(kind for found in faults for kind in found).most_common()),
        votes=own[0].round * plan.votes,
        train_seconds=_mean(row.train_s for row in own),
        strengths=[row.strength for row in own],
        guidance_scales=[row.guidance_scale for row in own],
        replicates=len(own),
        drawings=_mean(row.drawings for row in own),
        time=_time(rows, own),
        **_tells(own, plan),
        default_against_it=_change(own, _of(rows, DEFAULT, 1), plan) if is_compared else None,
        last_default_against_it=_change(own, _of(rows, DEFAULT, last), plan) if is_compared else None,
    )


def _rate(flags: Sequence[bool]) -> Rate:
    interval = wilson(sum(flags), len(flags))
    return Rate(rate=_mean(map(float, flags)), n=len(flags), low=interval.low, high=interval.high)


def _change(before: Rows, after: Rows, plan: Plan) -> Change:
    """Over the pictures that both have: a row may draw fewer of each prompt."""
    old = {row.replicate: row.faults for row in before}
    pairs = [pair for row in after for pair in _pairs(old[row.replicate], row.faults, plan)]
    mended, broke = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    interval = paired_difference(mended, broke, len(pairs))
    return Change(
        paired=(broke - mended) / len(pairs),
        paired_low=interval.low,
        paired_high=interval.high,
        mended=mended,
        broke=broke,
    )


def _pairs(before: Faults, after: Faults, plan: Plan) -> list[tuple[bool, bool]]:
    """Whether the same picture is wrong before and after."""
    every = len(before) // len(after)
    shared = [found for k, found in enumerate(before) if k % plan.seeds % every == 0]
    return [(bool(a), bool(b)) for a, b in zip(shared, after, strict=True)]


def _time(rows: Rows, own: Rows) -> float | None:
    """Seconds for a picture over those of one drawing of the default method in the same replicate, the mean."""
    one = {row.replicate: row.draw_s for row in _of(rows, DEFAULT, 1)}
    found = [row.draw_s / one[row.replicate] for row in own if one.get(row.replicate)]
    return _mean(found) if found else None


def _tells(own: Rows, plan: Plan) -> dict[str, float | None]:
    """The AUCs, each the mean over the replicates that have both right and wrong pictures."""
    scored = {
        "": [(row.own_scores, row.own_wrong) for row in own],
        "base_": [(row.base_scores, row.base_wrong) for row in own],
    }
    found = {}
    for name, told in scored.items():
        found[f"{name}auc"] = _known_mean(auc(*each) for each in told)
        found[f"{name}auc_within"] = _known_mean(auc_within(*each, _prompts(each[0], plan)) for each in told)
    return found


def _prompts(scores: Sequence[float], plan: Plan) -> list[int]:
    return [k // plan.seeds for k in range(len(scores))]


def _known_mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _mean(known) if known else None


def _relative(base: Rows, own: Rows, spread: Callable[[Finished], float]) -> float:
    """The spread over the base's in the same replicate, the mean over the replicates."""
    before = {row.replicate: spread(row) for row in base}
    return _mean(spread(row) / before[row.replicate] for row in own if before[row.replicate])


def _held_out(rows: Rows, plan: Plan, world: World) -> HeldOut:
    """How the subject and the fault that nobody rated fare."""
    fault = world.unseen.fault
    before, after = (_held_out_rates(_of(rows, name), plan, fault) for name in ("held-out base", "held-out"))
    return HeldOut(
        **world.unseen._asdict(),
        subject_before=before[0],
        fault_before=before[1],
        subject_after=after[0],
        fault_after=after[1],
    )


def _held_out_rates(rows: Rows, plan: Plan, fault: str) -> tuple[Rate, Rate]:
    """Share of the subject's pictures that are wrong, and share of the other's that have the fault.

    The two subjects take turns, each prompt with all its seeds.
    """
    faults = [found for row in rows for found in row.faults]
    subject = [bool(found) for k, found in enumerate(faults) if k // plan.seeds % 2 == 0]
    others = [fault in found for k, found in enumerate(faults) if k // plan.seeds % 2 == 1]
    return _rate(subject), _rate(others)


def _of(rows: Rows, name: str, round_: int | None = None) -> list[Finished]:
    return [row for row in rows if row.row == name and round_ in (None, row.round)]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
