"""The command `naysayer bench pace`."""

import json
from typing import Annotated

import typer

from store.settings.file import read_settings


def pace(
    world: Annotated[
        str,
        typer.Option(
            help="The world whose model draws and whose judge looks: drawn, compositions or package.module:NAME; none: "
            "the settings' own model at its own size, and nobody judges."
        ),
    ] = "drawn",
    version: Annotated[int, typer.Option(min=0, help="The version of this store that draws; 0: the plain base.")] = 0,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures of each setting.")] = 144,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Pictures drawn at once; NAYSAYER_SAMPLE_BATCH if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number draws other prompts and seeds.")] = 70,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pictures a minute of sampler, steps, guidance interval and compiling, and wrong pictures of the same seeds."""
    from bench.pace.pace import Plan, bench_pace, table

    settings = read_settings()
    found = bench_pace(settings, Plan(world, version, pictures, batch or settings.sample_batch, seed))
    typer.echo(json.dumps(found) if as_json else table(found))
