"""The command line of `naysayer sort`; torch is imported inside it, so that `--help` stays quick."""

from pathlib import Path
from typing import Annotated

import typer

from store.settings.file import read_settings


def sort(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures with everything in it, or a ZIP archive.")],
    cut: Annotated[
        str | None,
        typer.Option(help="Flag the worst share, as 20%, or what scores above a number; empty: the version's own cut."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file instead of CSV.")] = False,
    move: Annotated[Path | None, typer.Option(help="Move the flagged ones here, with the files beside them.")] = None,
    copy: Annotated[Path | None, typer.Option(help="Copy them here instead.")] = None,
    send: Annotated[
        int,
        typer.Option(
            min=0,
            help="Put so many of the most doubtful, nearest to the cut, before raters.",
        ),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be moved, copied or sent.")] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="A list of prompts that files do not say, .csv or .jsonl: file, prompt; empty: metadata.csv or "
            "metadata.jsonl among the pictures."
        ),
    ] = None,
) -> None:
    """List a folder's pictures from worst to best by the champion's check; run again to go on."""
    from feedback.exchange.pictures.mapping import own_mapping, read_mapping
    from feedback.exchange.pictures.sources import open_source
    from feedback.exchange.sorting.moving import Target
    from feedback.exchange.sorting.table import header_line, parse_cut, table_line
    from store.errors import BadRequest
    from trainer.sort.sort import Order, act
    from trainer.sort.sort import sort as sort_folder

    def say(line: str) -> None:
        typer.echo(line, err=True)

    if move and copy:
        raise BadRequest("--move and --copy exclude each other; give one of them")
    place = move or copy
    target = Target(place, moves=bool(move)) if place else None
    settings = read_settings()
    mapped = read_mapping(mapping) if mapping else own_mapping(open_source(folder), say)
    order = Order(folder, mapped, parse_cut(cut), target, send, dry_run)
    found = sort_folder(settings, order, say)
    if not as_json:
        typer.echo(header_line(), nl=False)
    for row in found.rows:
        typer.echo(table_line(row, found.cut, found.held_out, as_json=as_json), nl=False)
    for line in (found.words, *act(settings, order, found, say)):
        say(line)
