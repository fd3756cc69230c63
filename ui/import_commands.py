"""`naysayer import`: what others made, on its way in. The trainer adds LoRAs to the same group."""

from pathlib import Path
from typing import Annotated

import typer

from store.settings.file import read_settings

imports = typer.Typer(no_args_is_help=True, help="Bring in files that others made.")


@imports.command("votes")
def import_votes(
    file: Annotated[
        Path, typer.Argument(help="An exported folder, or a file: .jsonl, .ndjson, .json, .csv, .tsv or .parquet.")
    ],
    rater: Annotated[str, typer.Option(help="Whose votes they are, where the file names nobody.")] = "",
    preferences: Annotated[
        bool, typer.Option("--preferences", help="Take the better of two pictures for a keep, the other for a reject.")
    ] = False,
) -> None:
    """Record votes on pictures of this store, from an export, Label Studio, Argilla, pairs or tables; each once."""
    from feedback.exchange.incoming.said import Source
    from feedback.exchange.incoming.take import import_votes
    from store.existing import open_existing

    settings = read_settings()
    report = import_votes(open_existing(settings), Source(file, rater, preferences), settings.overlap)
    typer.echo(report.words)
