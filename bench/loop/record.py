"""From finished rows to evidence: a record with intervals, a plot and a same-seed picture grid."""

import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.loop.loop import CONTROLS, DEFAULT, ROUNDS, Meter, Plan, Row
from bench.loop.stores import HELD_OUT_FAULT, HELD_OUT_SUBJECT, Stores, evaluation_items
from feedback.statistics import paired_difference, wilson
from store.settings import Settings

NOT_FOLLOWED = {"colour", "background", "size"}
"""Faults that mean the prompt was not followed."""
GRID_ITEMS = 8

Rows = Sequence[dict[str, Any]]


def record(rows: Rows, plan: Plan) -> dict[str, Any]:
    """Everything that is claimed, with its n and intervals; `methods[default]` is after the last round."""
    from trainer.retrain.strength import STRENGTHS

    last = max((row["round"] for row in rows if row["row"] == DEFAULT), default=0)
    named = [(f"{row['row']}, round {row['round']}" if row["row"] == DEFAULT else row["row"], row) for row in rows]
    names = dict.fromkeys(name for name, _ in named)
    methods = {name: _method(rows, [row for own, row in named if own == name], plan) for name in names}
    for name in {row.name for row in CONTROLS[:3]} & set(methods):
        for key, round_ in (("default_against_it", 1), ("last_default_against_it", last)):
            after = [row for row in rows if (row["row"], row["round"]) == (DEFAULT, round_)]
            methods[name][key] = _paired(_of(rows, name), after)
    return {
        "default": DEFAULT,
        "votes_a_round": plan.votes,
        "rounds": last,
        "replicates": len({row["replicate"] for row in rows}),
        "strengths_tried": list(STRENGTHS["same-prompt"]),
        "machine": f"{platform.machine()} CPU, torch {version('torch')}",
        "date": date.today().isoformat(),
        "methods": methods | ({DEFAULT: methods[f"{DEFAULT}, round {last}"]} if last else {}),
        "held_out": _held_out(rows, plan),
    }


def _method(rows: Rows, own: Rows, plan: Plan) -> dict[str, Any]:
    base_name = "held-out base" if own[0]["row"].startswith("held-out") else "base"
    base = _of(rows, base_name)
    faults = [found for row in own for found in row["faults"]]
    wrong = sum(map(bool, faults))
    interval = wilson(wrong, len(faults))

    def kept(name: str) -> float:
        before = {row["replicate"]: row[name] for row in base}
        return _mean(row[name] / before[row["replicate"]] for row in own if before[row["replicate"]])

    return {
        "rate": wrong / len(faults),
        "n": len(faults),
        "low": interval.low,
        "high": interval.high,
        **_paired(base, own),
        "diversity": kept("right_spread"),
        "diversity_with_mistakes": kept("spread"),
        "adherence": _mean(float(not NOT_FOLLOWED & set(found)) for found in faults),
        "faults": dict(Counter(kind for found in faults for kind in found).most_common()),
        "votes": own[0]["round"] * plan.votes,
        "train_seconds": _mean(row["train_s"] for row in own),
        "strengths": [row["strength"] for row in own],
        "guidance_scales": [row["guidance_scale"] for row in own],
        "replicates": len(own),
    }


def _paired(before: Rows, after: Rows) -> dict[str, Any]:
    """The difference of the share wrong on the same prompts and seeds, after minus before."""
    old = {row["replicate"]: row["faults"] for row in before}
    pairs = [(bool(a), bool(b)) for row in after for a, b in zip(old[row["replicate"]], row["faults"], strict=True)]
    mended, broke = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    interval = paired_difference(mended, broke, len(pairs))
    return {
        "paired": (broke - mended) / len(pairs),
        "paired_low": interval.low,
        "paired_high": interval.high,
        "mended": mended,
        "broke": broke,
    }


def _held_out(rows: Rows, plan: Plan) -> dict[str, Any]:
    """How the subject and the fault that nobody rated fare: share wrong of the one, share of the other among stars."""
    found: dict[str, Any] = {"subject": HELD_OUT_SUBJECT, "fault": HELD_OUT_FAULT}
    for name in ("held-out base", "held-out"):
        faults = [fault for row in _of(rows, name) for fault in row["faults"]]
        # The two subjects come in turn, each prompt with all its seeds.
        subject = [bool(f) for k, f in enumerate(faults) if k // plan.seeds % 2 == 0]
        stars = [HELD_OUT_FAULT in f for k, f in enumerate(faults) if k // plan.seeds % 2 == 1]
        for what, flags in (("subject", subject), ("fault", stars)):
            interval = wilson(sum(flags), len(flags))
            found[f"{what}, {name}"] = {"rate": _mean(map(float, flags)), "n": len(flags), **interval._asdict()}
    return found


def plot(found: dict[str, Any], path: Path) -> None:
    """Share wrong with its interval: left by votes, right by method."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    methods = found["methods"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), width_ratios=[1, 1.5], layout="constrained")
    steps = [("base", methods["base"])] + [(n, m) for n, m in methods.items() if n.startswith(f"{DEFAULT}, round")]
    _errorbars(left, [m["votes"] for _, m in steps], [m for _, m in steps], vertical=True)
    left.set(xlabel="votes", ylabel="share judged wrong", ylim=(0, None), title=f"{DEFAULT}, by number of votes")
    rest = sorted(
        ((n, m) for n, m in methods.items() if n != DEFAULT and not n.startswith("held-out")),
        key=lambda x: -x[1]["rate"],
    )
    _errorbars(right, range(len(rest)), [m for _, m in rest], vertical=False)
    right.set_yticks(range(len(rest)), [name for name, _ in rest], fontsize=8)
    right.axvline(methods["base"]["rate"], color="#999", linewidth=0.8, linestyle="--")
    right.set(xlabel="share judged wrong, 95 % interval", xlim=(0, 1), title="every method, one round unless named")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _errorbars(axes: Any, at: Iterable[float], methods: Sequence[dict[str, Any]], vertical: bool) -> None:
    rates = [m["rate"] for m in methods]
    reach = [[m["rate"] - m["low"] for m in methods], [m["high"] - m["rate"] for m in methods]]
    style = {"fmt": "o-" if vertical else "o", "color": "#c65a3f", "ecolor": "#e0a896", "elinewidth": 4, "capsize": 0}
    if vertical:
        axes.errorbar(list(at), rates, yerr=reach, **style)
    else:
        axes.errorbar(rates, list(at), xerr=reach, **style)


def grid(settings: Settings, folder: Path, plan: Plan, seed: int, path: Path) -> None:
    """One picture: a row for each prompt and seed, a column for the base and each round of the default method."""
    from PIL import Image, ImageDraw

    from trainer.base.model import load_base, silence_libraries

    silence_libraries()
    stores = Stores(settings, folder / f"replicate-{seed}", seed, plan.votes, plan.error_rate)
    meter = Meter(load_base(settings), stores, plan)
    items = evaluation_items(seed, plan.prompts, plan.seeds)[:: plan.seeds][:GRID_ITEMS]
    columns = [Row("base"), Row("random-outputs", "random", "same-prompt", 1), *ROUNDS[: plan.rounds]]
    side, left, top = 96, 330, 22
    sheet = Image.new("RGB", (left + side * len(columns), top + side * len(items)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (prompt, _) in enumerate(items):
        pen.text((6, top + side * row + side // 2 - 6), prompt, fill="#333")
    for column, asked in enumerate(columns):
        label = f"round {asked.round}" if asked.name == DEFAULT else asked.name
        pen.text((left + side * column + 4, 5), label, fill="#333")
        for row, (picture, is_wrong) in enumerate(meter.pictures(asked, items)):
            x, y = left + side * column, top + side * row
            sheet.paste(picture.resize((side - 6, side - 6), Image.Resampling.NEAREST), (x + 3, y + 3))
            pen.rectangle(
                (x + 1, y + 1, x + side - 2, y + side - 2), outline="#c03020" if is_wrong else "#bbb", width=2
            )
    sheet.save(path, optimize=True)


def _of(rows: Rows, name: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["row"] == name]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
