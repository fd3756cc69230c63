"""The command `naysayer bench scale`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from store.settings import Settings
from store.settings.file import read_settings


def bench_scale(
    pictures: Annotated[int, typer.Option("--images", min=500, help="Pictures in the store.")] = 1_000_000,
    votes: Annotated[int, typer.Option(min=1, help="Votes on them.")] = 3_000_000,
    cards: Annotated[int, typer.Option(min=1, help="Cards that are simulated against the real store.")] = 64,
    raters: Annotated[int, typer.Option(min=1, help="Raters that are.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="How long they work, once they are warm.")] = 120,
    times: Annotated[int, typer.Option(min=10, help="Samples of what each operation costs.")] = 300,
    card_price: Annotated[float, typer.Option(min=0, help="Price of a card, an hour.")] = 2.0,
    database_price: Annotated[float, typer.Option(min=0, help="Price of the database and the pages, an hour.")] = 1.0,
    figure: Annotated[Path | None, typer.Option(help="PNG to write the plot to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What a large PostgreSQL store gives many cards and raters, and a model of up to 512 cards and 1,000 raters.

    NAYSAYER_STORE_URL names an empty database.
    """
    from bench.scale.plan import Prices, plot, table

    found, outcomes, compared = measure(read_settings(), (pictures, votes), (cards, raters, seconds), times)
    prices = Prices(card_price, database_price)
    if figure is not None:
        plot(outcomes, figure)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(f"{cards} cards and {raters} raters at work, in milliseconds, and by the model:\n{compared}\n")
    typer.echo(table(outcomes, prices))


def measure(
    settings: Settings, size: tuple[int, int], at_work: tuple[int, int, float], times: int
) -> tuple[dict[str, Any], list[Any], str]:
    """Fills the store, measures it alone and under load, and runs the model; all figures, its sites, and both compared.

    Raises BadRequest for a store that is not on PostgreSQL.
    """
    from bench.filling import WAITING, Size, fill
    from bench.scale.costs import mean_cost, measure_costs
    from bench.scale.load import WARM_S, Load, run_load
    from bench.scale.model import Site, simulate
    from bench.scale.plan import compare, run_sites
    from store.engine import is_sqlite
    from store.errors import BadRequest
    from store.migrate import open_store

    cards, raters, seconds = at_work
    target = max(24, 24 * raters)
    site = Site(cards, raters, target=target, stock=WAITING, round_trip_s=0.0, cores=cores(), shares_cores=True)
    used = settings.model_copy(update={"queue_target": target})
    engine = open_store(used)
    if is_sqlite(engine):
        raise BadRequest(
            "this bench measures PostgreSQL, and the store is SQLite; name an empty database in NAYSAYER_STORE_URL"
        )
    fill(engine, Size(*size, versions=50))
    costs = measure_costs(engine, used, times)
    engine.dispose()
    took = run_load(used, Load(cards, raters, site.card_s, site.vote_s, seconds))
    modelled = simulate(site, costs, seconds, min(WARM_S, seconds))
    outcomes = run_sites(costs)
    found = {
        "costs": {name: mean_cost(samples)._asdict() for name, samples in costs.samples.items()},
        "pictures_at_once": sum(costs.batches) / len(costs.batches),
        "measured": {name: row._asdict() for name, row in took.items()},
        "modelled": {name: row._asdict() for name, row in modelled.took.items()},
        "sites": [
            one._asdict() | {"site": one.site._asdict(), "limit": one.limit, "took": one.took_ms} for one in outcomes
        ],
    }
    return found, outcomes, compare(took, modelled.took)


def cores() -> int:
    """How many of this machine's processors this process may use."""
    import os

    return len(os.sched_getaffinity(0))
