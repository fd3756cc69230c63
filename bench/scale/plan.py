"""The sites that the model runs through, as a table, a plot and costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from bench.scale.costs import Costs
from bench.scale.load import Took
from bench.scale.model import Outcome, Site, simulate

CARDS, RATERS = (1, 8, 64, 512), (10, 100, 1000)
WARM_S = 600.0
PICTURES_KEPT = 24
"""Pictures kept ready for each rater: one hand."""


class Prices(NamedTuple):
    """In money an hour: a card, and the database with the pages."""

    card: float = 2.0
    database: float = 1.0

    def per_thousand_votes(self, outcome: Outcome) -> float:
        """Of all cards, also of those that rest."""
        hourly = outcome.site.cards * self.card + self.database
        return 1000 * hourly / max(1e-9, outcome.votes * 3600)


def run_sites(
    costs: Costs,
    cards: Sequence[int] = CARDS,
    raters: Sequence[int] = RATERS,
    base: Site = Site(0, 0),
    seconds: float = 120.0,
) -> list[Outcome]:
    """Every number of cards with every number of raters."""
    sites = [base._replace(cards=c, raters=r, target=max(24, PICTURES_KEPT * r)) for c in cards for r in raters]
    return [simulate(site, costs, seconds, WARM_S) for site in tqdm(sites, desc="sites")]


def table(outcomes: Sequence[Outcome], prices: Prices = Prices()) -> str:
    """The outcomes as a table in Markdown."""
    head = (
        "| cards | raters | votes/s | pictures/s | cards busy | write lock | planning | pages | vote p95 | "
        "without a picture | limit | per 1,000 votes |"
    )
    return "\n".join([head, "| " + " | ".join(["---"] * 12) + " |", *(_row(one, prices) for one in outcomes)])


def _row(one: Outcome, prices: Prices) -> str:
    vote = f"{one.took['vote'].p95_ms:,.0f} ms" if "vote" in one.took else "–"
    shares = " | ".join(f"{share:.0%}" for share in (one.cards_busy, one.lock_busy, one.plan_busy, one.pages_busy))
    return (
        f"| {one.site.cards} | {one.site.raters:,} | {one.votes:.1f} | {one.pictures:.1f} | {shares} | {vote} | "
        f"{one.waiting:.0%} | {one.limit} | {prices.per_thousand_votes(one):,.2f} |"
    )


def compare(measured: Mapping[str, Took], modelled: Mapping[str, Took]) -> str:
    """The percentiles of each operation as a table in Markdown."""
    lines = [
        "| operation | a second | p50 | p95 | by the model: a second | p50 | p95 |",
        "| " + " | ".join(["---"] * 7) + " |",
    ]
    for name, row in measured.items():
        parts = [
            f"{one.per_second:.1f} | {one.p50_ms:.1f} | {one.p95_ms:.1f}" for one in (row, modelled.get(name)) if one
        ]
        lines.append(f"| {name} | {' | '.join(parts)} |")
    return "\n".join(lines)


def plot(outcomes: Sequence[Outcome], path: Path) -> None:
    """Votes a second over the number of cards, a line for each number of raters, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    for raters in sorted({one.site.raters for one in outcomes}):
        rows = sorted((one for one in outcomes if one.site.raters == raters), key=lambda one: one.site.cards)
        cards, votes = [row.site.cards for row in rows], [row.votes for row in rows]
        [line] = axes.plot(cards, votes, marker="o", label=f"{raters:,} raters")
        axes.axhline(raters / rows[0].site.vote_s / MEAN_OF_MEDIAN, color=line.get_color(), linestyle=":", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({one.site.cards for one in outcomes}), [str(c) for c in CARDS])
    axes.set_xlabel("cards, 5 s a picture")
    axes.set_ylabel("votes a second")
    axes.set_title("Votes a second by the model; dotted: what the raters alone would give", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=140)


MEAN_OF_MEDIAN = 1.197
"""Mean of a log-normal of spread 0.6 over its median."""
