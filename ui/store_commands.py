"""Commands for a whole store: into a file and back, into another database, bucket or store; and to tidy its bucket."""

from pathlib import Path
from typing import Annotated

import typer

from store.settings.file import read_settings

whole_store = typer.Typer()


@whole_store.command()
def backup(file: Annotated[Path, typer.Argument(help="The archive to write, e.g. naysayer.tar.")]) -> None:
    """Write the whole store into one archive; the store may be in use."""
    from feedback.exchange.stores.saved import save
    from ui.words import report_words

    typer.echo(f"wrote {report_words(save(read_settings(), file))}")


@whole_store.command()
def restore(file: Annotated[Path, typer.Argument(help="An archive made by `naysayer backup`.")]) -> None:
    """Put a backup into the (empty) data folder, after checking every file in it."""
    from store.archive.restore import restore
    from ui.words import report_words

    typer.echo(f"restored {report_words(restore(file, read_settings()))}")


@whole_store.command()
def move(
    to: Annotated[
        str, typer.Option(help="URL of the other database, which must be empty, as in NAYSAYER_STORE_URL.")
    ] = "",
    blobs: Annotated[
        str, typer.Option(help="URL of a bucket, as in NAYSAYER_BLOBS, or `folder` for the data folder.")
    ] = "",
) -> None:
    """Copy the database into another one, SQLite or PostgreSQL, or with --blobs the pictures and versions."""
    from feedback.exchange.stores.move import move
    from feedback.exchange.stores.move_files import move_files
    from store.errors import BadRequest

    if bool(to) == bool(blobs):
        raise BadRequest("say what to move: the database with --to, or pictures and versions with --blobs")
    settings = read_settings()
    typer.echo(move(settings, to).words if to else move_files(settings, blobs).words)


@whole_store.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove from the bucket what is older than a day and no row names; the worker that leads does so once a day."""
    from store.archive.orphans import sweep
    from store.existing import open_existing
    from store.layout import layout_of

    settings = read_settings()
    typer.echo(sweep(open_existing(settings), layout_of(settings), is_dry=dry_run).words)


@whole_store.command()
def merge(
    folder: Annotated[Path, typer.Argument(help="The data folder of the other store.")],
    store_url: Annotated[str, typer.Option(help="Its database, if it is not in that folder.")] = "",
) -> None:
    """Bring another store of the same base into this one; the other is only read, and once more adds nothing."""
    from feedback.exchange.stores.merge import merge

    typer.echo(merge(read_settings(), folder, store_url).words)
