"""The command `naysayer bench imported`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from store.settings.file import read_settings


def bench_imported(
    folder: Annotated[
        Path, typer.Option(help="Keeps stores and finished arms; a second call continues from them.")
    ] = Path("bench-imported"),
    replicates: Annotated[int, typer.Option(min=1, help="Independent repetitions, each with its own seeds.")] = 3,
    first: Annotated[
        int, typer.Option(min=0, max=400, help="Seed of the first replicate; the defaults were chosen on other seeds.")
    ] = 40,
    votes: Annotated[int, typer.Option(min=10, help="Votes in each replicate.")] = 200,
    processes: Annotated[int, typer.Option(min=1, help="Replicates at once, one thread each.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Do imported pictures teach as much as the same pictures drawn here? About half an hour on two cores."""
    from bench.imported.arms import ARMS
    from bench.imported.taught import measure, summary, table
    from bench.loop.rows import Plan

    taught = measure(read_settings(), folder, Plan(votes=votes), ARMS, range(first, first + replicates), processes)
    typer.echo(json.dumps(summary(taught)) if as_json else table(taught))
