"""The charts of the bench: shares wrong with their intervals, and a grid of pictures from the same seeds."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.loop.loop import new_meter
from bench.loop.record import Method, Record, WorldRecord
from bench.loop.rows import BY_ROUND, DEFAULT, ONCE, ROUNDS, Plan, Row
from bench.loop.stores import evaluation_items
from store.settings import Settings

GRID_ITEMS = 8
RED = "#c65a3f"


def plot(found: Record, path: Path) -> None:
    """Share wrong with its interval, a row for each world: left by votes, right by method."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    count = len(found.worlds)
    tallest = max(len(_shown(world)) for world in found.worlds.values())
    size = (11, max(4.6, 0.22 * tallest) * count)
    figure, rows = pyplot.subplots(count, 2, figsize=size, width_ratios=[1, 1.5], layout="constrained", squeeze=False)
    for (name, world), (left, right) in zip(found.worlds.items(), rows, strict=True):
        _by_votes(left, world, name)
        _by_method(right, world)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _by_votes(axes: Any, found: WorldRecord, name: str) -> None:
    for method, colour in {ONCE: "#8a8a8a", DEFAULT: RED}.items():
        steps = [found.methods["base"], *(m for n, m in found.methods.items() if n.startswith(f"{method}, round"))]
        if len(steps) > 1:
            _errorbars(axes, [m.votes for m in steps], steps, fmt="o-", color=colour, label=method)
    axes.set(xlabel="votes", ylabel="share judged wrong", ylim=(0, None), title=f"{name}: by number of votes")
    axes.legend(frameon=False)


def _by_method(axes: Any, found: WorldRecord) -> None:
    rest = sorted(_shown(found).items(), key=lambda named: -named[1].rate)
    _errorbars(axes, range(len(rest)), [m for _, m in rest], fmt="o", color=RED, is_across=True)
    axes.set_yticks(range(len(rest)), [name for name, _ in rest], fontsize=8)
    axes.axvline(found.methods["base"].rate, color="#999", linewidth=0.8, linestyle="--")
    axes.set(xlabel="share judged wrong, 95 % interval", xlim=(0, 1), title="every method, one round unless named")


def _shown(found: WorldRecord) -> dict[str, Method]:
    return {n: m for n, m in found.methods.items() if n not in BY_ROUND and not n.startswith("held-out")}


def _errorbars(
    axes: Any, at: Iterable[float], methods: Sequence[Method], *, is_across: bool = False, **style: Any
) -> None:
    rates, bars = [m.rate for m in methods], {"elinewidth": 4, "capsize": 0, "ecolor": "#d9b3a8"}
    reach = [[m.rate - m.low for m in methods], [m.high - m.rate for m in methods]]
    if is_across:
        axes.errorbar(rates, list(at), xerr=reach, **bars, **style)
    else:
        axes.errorbar(list(at), rates, yerr=reach, **bars, **style)


def grid(settings: Settings, folder: Path, plan: Plan, seed: int, path: Path) -> None:
    """One picture: a row for each prompt and seed, a column for the base and each round of the default method."""
    from PIL import Image, ImageDraw

    from trainer.base.model import silence_libraries

    silence_libraries()
    meter = new_meter(settings, folder, plan, seed)
    items = evaluation_items(meter.world, seed, plan.prompts, plan.seeds)[:: plan.seeds][:GRID_ITEMS]
    columns = [Row("base"), Row("random-outputs", "random", "same-prompt", 1), *ROUNDS[: plan.rounds]]
    side, left, top = 96, 330, 22
    sheet = Image.new("RGB", (left + side * len(columns), top + side * len(items)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (prompt, _) in enumerate(items):
        pen.text((6, top + side * row + side // 2 - 6), prompt, fill="#333")
    for column, asked in enumerate(columns):
        label = f"round {asked.round}" if asked.name == ONCE else asked.name
        pen.text((left + side * column + 4, 5), label, fill="#333")
        for row, (picture, is_wrong) in enumerate(meter.pictures(asked, items)):
            x, y = left + side * column, top + side * row
            sheet.paste(picture.resize((side - 6, side - 6), Image.Resampling.NEAREST), (x + 3, y + 3))
            pen.rectangle(
                (x + 1, y + 1, x + side - 2, y + side - 2), outline="#c03020" if is_wrong else "#bbb", width=2
            )
    sheet.save(path, optimize=True)
