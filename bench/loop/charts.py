"""The charts of the bench: shares wrong with their intervals, and a grid of pictures from the same seeds."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.loop.meter import Meter
from bench.loop.record import Method, Record
from bench.loop.rows import DEFAULT, ROUNDS, Plan, Row
from bench.loop.stores import Stores, evaluation_items
from store.settings import Settings

GRID_ITEMS = 8


def plot(found: Record, path: Path) -> None:
    """Share wrong with its interval: left by votes, right by method."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    methods = found.methods
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), width_ratios=[1, 1.5], layout="constrained")
    steps = [("base", methods["base"])] + [(n, m) for n, m in methods.items() if n.startswith(f"{DEFAULT}, round")]
    _errorbars(left, [m.votes for _, m in steps], [m for _, m in steps], vertical=True)
    left.set(xlabel="votes", ylabel="share judged wrong", ylim=(0, None), title=f"{DEFAULT}, by number of votes")
    rest = sorted(
        ((n, m) for n, m in methods.items() if n != DEFAULT and not n.startswith("held-out")),
        key=lambda named: -named[1].rate,
    )
    _errorbars(right, range(len(rest)), [m for _, m in rest], vertical=False)
    right.set_yticks(range(len(rest)), [name for name, _ in rest], fontsize=8)
    right.axvline(methods["base"].rate, color="#999", linewidth=0.8, linestyle="--")
    right.set(xlabel="share judged wrong, 95 % interval", xlim=(0, 1), title="every method, one round unless named")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _errorbars(axes: Any, at: Iterable[float], methods: Sequence[Method], vertical: bool) -> None:
    rates = [m.rate for m in methods]
    reach = [[m.rate - m.low for m in methods], [m.high - m.rate for m in methods]]
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
