"""From finished rows to the record of the bench: every method with its counts and intervals."""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from importlib.metadata import version
from operator import attrgetter

from bench.loop.loop import Finished
from bench.loop.record import Change, HeldOut, Kind, Method, Rate, Record, WorldRecord
from bench.loop.rows import BY_ROUND, DEFAULT, ONCE, Plan, label_of
from bench.loop.worlds import World, find_world
from feedback.check.telling import auc, auc_within
from feedback.statistics import paired_difference, wilson

COMPARED = ("random-outputs", "woolf", "woolf-tuned")
"""The controls that the default method is compared with directly."""

Rows = Sequence[Finished]


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
    last = max((row.round for row in rows if row.row in BY_ROUND), default=0)
    labels = dict.fromkeys(row.label for row in rows)
    methods = {label: _method(rows, [row for row in rows if row.label == label], plan, last) for label in labels}
    latest = {name: methods[label] for name in BY_ROUND if (label := label_of(name, last)) in methods}
    return WorldRecord(
        default=DEFAULT,
        rounds=last,
        replicates=len({row.replicate for row in rows}),
        negative_prompt=world.negative_prompt,
        methods=methods | latest,
        kinds=_kinds(_of(rows, "base"), _of(rows, DEFAULT, last), plan),
        held_out=_held_out(rows, plan, world),
    )


def _method(rows: Rows, own: Rows, plan: Plan, last: int) -> Method:
    name = own[0].row
    base = _of(rows, "held-out base" if name.startswith("held-out") else "base")
    faults = [found for row in own for found in row.faults]
    is_compared = name in COMPARED and _of(rows, DEFAULT, last)
    not_followed = find_world(plan.world).not_followed
    return Method(
        **rate_of([bool(found) for found in faults]).model_dump(),
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


def rate_of(flags: Sequence[bool]) -> Rate:
    """The share of the flags that are set, with its 95 % interval."""
    interval = wilson(sum(flags), len(flags))
    return Rate(rate=_mean(map(float, flags)), n=len(flags), low=interval.low, high=interval.high)


def _change(before: Rows, after: Rows, plan: Plan) -> Change:
    """Over the pictures that both have."""
    return change_of([(bool(a), bool(b)) for a, b in _pairs(before, after, plan)])


def change_of(pairs: Sequence[tuple[bool, bool]]) -> Change:
    """What became of pictures that were wrong before and after, with a 95 % interval of the change."""
    mended, broke = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    interval = paired_difference(mended, broke, len(pairs))
    return Change(
        paired=(broke - mended) / len(pairs),
        paired_low=interval.low,
        paired_high=interval.high,
        mended=mended,
        broke=broke,
    )


def _pairs(before: Rows, after: Rows, plan: Plan) -> list[tuple[list[str], list[str]]]:
    """The faults of the same picture before and after; `after` may have drawn fewer seeds of each prompt."""
    old, pairs = {row.replicate: row.faults for row in before}, []
    for row in after:
        known = old[row.replicate]
        every = len(known) // len(row.faults)
        shared = [found for k, found in enumerate(known) if k % plan.seeds % every == 0]
        pairs += list(zip(shared, row.faults, strict=True))
    return pairs


def _kinds(before: Rows, after: Rows, plan: Plan) -> dict[str, Kind]:
    """What changed by kind of fault, the most frequent of the base first."""
    pairs = _pairs(before, after, plan)
    kinds = Counter(kind for a, _ in pairs for kind in a) + Counter(kind for _, b in pairs for kind in b)
    found = {}
    for kind in kinds:
        flags = [(kind in a, kind in b) for a, b in pairs]
        counts = {"before": sum(a for a, _ in flags), "after": sum(b for _, b in flags)}
        found[kind] = Kind(**change_of(flags).model_dump(), **counts)
    return dict(sorted(found.items(), key=lambda named: -named[1].before))


def _time(rows: Rows, own: Rows) -> float | None:
    """Seconds for a picture over those of one drawing of the default method in the same replicate and round, the mean;
    a row without a round is compared with the first."""
    one = {(row.replicate, row.round): row.draw_s for row in _of(rows, ONCE)}
    found = [row.draw_s / drawn for row in own if (drawn := one.get((row.replicate, row.round or 1)))]
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


def _held_out(rows: Rows, plan: Plan, world: World) -> HeldOut | None:
    """How the subject and the fault that nobody rated fare; None before that is measured."""
    fault = world.unseen.fault
    if not _of(rows, "held-out"):
        return None
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
    return rate_of(subject), rate_of(others)


def _of(rows: Rows, name: str, round_: int | None = None) -> list[Finished]:
    return [row for row in rows if row.row == name and round_ in (None, row.round)]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
