"""`naysayer export`: a version's files, or pictures and votes, for other programs."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from store.settings.file import read_settings

Word = TypeVar("Word", bound=StrEnum)
exports = typer.Typer(no_args_is_help=True, help="A version's files, or pictures and votes, for other programs.")


@exports.command("lora")
def export_lora(
    number: Annotated[int, typer.Argument(help="The version, e.g. 3.")],
    form: Annotated[
        str, typer.Option("--format", help="diffusers, kohya (A1111, Forge, InvokeAI), or comfyui (with workflows).")
    ] = "kohya",
    out: Annotated[Path | None, typer.Option(help="Folder to write to; naysayer-vN, or here with --zip.")] = None,
    as_zip: Annotated[bool, typer.Option("--zip", help="One zip instead of a folder.")] = False,
) -> None:
    """Write a version's LoRA for another program: for ComfyUI with its workflow, else with its model card."""
    from store.errors import BadRequest
    from ui.export.export import export_lora
    from ui.export.files import Format

    if form not in list(Format):
        raise BadRequest(f"--format is diffusers, kohya or comfyui; {form[:40]!r} was given")
    folder = out or Path("." if as_zip else f"naysayer-v{number}")
    for path in export_lora(read_settings(), number, Format(form), folder, is_zipped=as_zip):
        typer.echo(path)


Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Voted on from this day on (UTC), e.g. 2026-11-01.")
]
LastDay = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Voted on up to this day (UTC).")]


@exports.command("data")
def export_data(
    folder: Annotated[Path, typer.Argument(help="The folder to write, which must not exist.")],
    which: Annotated[
        list[str] | None,
        typer.Option(
            help="rejects, keeps, disputed, overruled, 'look again' or 'taken out'; empty: rejects and keeps."
        ),
    ] = None,
    prompt: Annotated[str, typer.Option(help="Only prompts that hold this text.")] = "",
    reason: Annotated[str, typer.Option(help="Only pictures with this reason, e.g. hands.")] = "",
    version: Annotated[int | None, typer.Option(min=0, help="Only pictures of this version.")] = None,
    rater: Annotated[str, typer.Option(help="Only pictures that this rater voted on.")] = "",
    accord: Annotated[str, typer.Option(help="'all agree' or 'not all agree'.")] = "any",
    since: Day = None,
    until: LastDay = None,
    with_names: Annotated[bool, typer.Option("--with-names", help="Raters' names instead of pseudonyms.")] = False,
    webdataset: Annotated[bool, typer.Option("--webdataset", help="Also write WebDataset shards.")] = False,
    hub: Annotated[str, typer.Option(help="OWNER/NAME: also push the folder to the Hub, as a private dataset.")] = "",
) -> None:
    """Write rated pictures, votes and pairs into a folder that other trainers and tools read; run again to go on."""
    from feedback.exchange.outgoing.chosen import Wanted
    from feedback.exchange.outgoing.folder import export_folder
    from feedback.exchange.outgoing.hub import is_exported, push, require_hub
    from feedback.pool.browse.gallery import Accord, Filter, Which
    from store.layout import layout_of
    from store.migrate import read_store
    from store.tables import Reason

    wanted = Wanted(
        tuple(_word(Which, one, "--which") for one in which or ("rejects", "keeps")),
        Filter(
            prompt=prompt,
            reason=_word(Reason, reason, "--reason") if reason else None,
            version=version,
            rater=rater,
            accord=_word(Accord, accord, "--accord"),
            since=since.date() if since else None,
            until=until.date() if until else None,
        ),
        with_names,
        webdataset,
    )
    if hub:
        require_hub(hub)
    settings = read_settings()
    if hub and is_exported(folder):  # written before, and not pushed to the end
        typer.echo(f"{folder} is there already, and is pushed as it is")
    else:
        typer.echo(export_folder(read_store(settings), layout_of(settings).blobs, wanted, folder).words)
    if hub:
        typer.echo(f"pushed to {push(folder, hub)}; it is private until you publish it there")


def _word(kind: type[Word], value: str, option: str) -> Word:
    """The value as a word of a list. Raises BadRequest."""
    from store.errors import BadRequest

    try:
        return kind(value)
    except ValueError:
        raise BadRequest(f"{option} is {', '.join(kind)}; {value[:40]!r} was given") from None
