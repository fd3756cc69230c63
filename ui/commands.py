"""The `naysayer` command. The trainer and the benches add theirs through the entry points `naysayer.commands`."""

import os
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from store.process import run_command
from store.settings import PREFIX
from store.settings.file import read_settings
from ui.export.commands import exports
from ui.import_commands import imports
from ui.list_commands import evaluation, prompts
from ui.signin.commands import invite, tokens
from ui.store_commands import whole_store

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Thumbs down teach Stable Diffusion XL what not to draw. Its settings: `naysayer settings`.",
)
app.registered_commands += whole_store.registered_commands
app.add_typer(prompts, name="prompts")
app.add_typer(exports, name="export")
app.add_typer(imports, name="import")
app.add_typer(evaluation, name="evaluation")
app.add_typer(tokens, name="token")
app.command()(invite)


def main() -> None:
    """Runs the command line with the commands of the trainer and the benches."""
    run_command(lambda: whole_app()())


def whole_app() -> typer.Typer:
    """The commands of this file, of the trainer and of the benches."""
    whole = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    whole.callback(help=app.info.help)(_program)
    groups: dict[str, typer.Typer] = {}
    for part in [app, *(point.load() for point in metadata.entry_points(group="naysayer.commands"))]:
        whole.registered_commands += part.registered_commands
        for group in part.registered_groups:  # `import` has commands here and in the trainer
            joined = groups.setdefault(
                group.name, typer.Typer(no_args_is_help=True, help=group.typer_instance.info.help)
            )
            joined.registered_commands += group.typer_instance.registered_commands
    for name, joined in groups.items():
        whole.add_typer(joined, name=name)
    return whole


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"naysayer {metadata.version('naysayer')}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    """The options of `naysayer` itself."""


Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the pages, instead of NAYSAYER_PORT.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the store, instead of NAYSAYER_DATA_DIR.")]


@app.command()
def run(port: Port = None, data_dir: DataDir = None) -> None:
    """Start everything on this machine: the store, the sampling worker and the pages. Ctrl-C stops it all."""
    from ui.run.supervisor import supervise

    _set_for_children(port=port, data_dir=data_dir)
    supervise(read_settings())


@app.command()
def pages(port: Port = None, data_dir: DataDir = None) -> None:
    """Start only the web pages."""
    from ui.run.serve import become_pages

    _set_for_children(port=port, data_dir=data_dir)
    become_pages(read_settings())


def _set_for_children(**given: int | Path | None) -> None:
    """Puts options into the environment, where the processes that this one starts read them."""
    os.environ |= {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items() if value is not None}


@app.command()
def versions() -> None:
    """List the versions with their thumbs-down rates."""
    from feedback.figures.summary import version_rows
    from store.migrate import read_store
    from ui.words import version_table

    typer.echo(version_table(version_rows(read_store(read_settings()))))


@app.command()
def status() -> None:
    """Summarise the loop in a few lines."""
    from feedback.figures.flow import flow_of
    from feedback.figures.summary import standing
    from feedback.policy import rejects_needed
    from feedback.pool.pool import how_due
    from feedback.retrain.progress import last_stages, retrain_now
    from feedback.workers import is_worker_alive, list_workers
    from store.migrate import read_store
    from store.safety.place import missing_store
    from ui.words import no_store_line, standing_lines, worker_lines

    settings = read_settings()
    engine = read_store(settings)
    if file := missing_store(settings):
        typer.echo(no_store_line(file))
    due = how_due(engine, rejects_needed(settings), settings.rater_share)
    now, workers = standing(engine), list_workers(engine)
    typer.echo(standing_lines(now, due, retrain_now(engine), last_stages(engine)))
    flow = flow_of(engine, workers, now.waiting, settings.overlap).words
    typer.echo("\n".join([*worker_lines(workers, is_alive=is_worker_alive(engine)), *filter(None, [flow])]))


@app.command()
def settings() -> None:
    """List every setting with its value, and where the value comes from."""
    from store.settings.file import origins
    from ui.settings_table import settings_list

    typer.echo(settings_list(origins(read_settings())))


@app.command("set")
def set_value(
    name: Annotated[str, typer.Argument(help="The setting, with or without NAYSAYER_, e.g. retrain_after.")],
    value: Annotated[str, typer.Argument(help="Its value; an empty one goes back to the default.")],
) -> None:
    """Keep a setting in the data folder, for every command on this store, cron's included."""
    from store.settings.file import keep, read_data_dir

    _say_kept(name, keep(read_data_dir(), name, value))


@app.command()
def unset(name: Annotated[str, typer.Argument(help="The setting, e.g. retrain_after.")]) -> None:
    """Take a setting out of the data folder, so that its default holds again."""
    from store.settings.file import forget, read_data_dir

    _say_kept(name, forget(read_data_dir(), name))


def _say_kept(name: str, path: Path) -> None:
    """What holds now; the file may still hold another value that cannot be used."""
    from store.errors import BadRequest
    from store.settings.names import UnknownSetting
    from ui.settings_table import kept_words

    try:
        settings = read_settings()
    except UnknownSetting:  # its name is said already
        typer.echo(f"{name} is changed in {path}")
        raise
    except BadRequest as error:
        raise BadRequest(f"{name} is changed in {path}, but {error}") from error
    typer.echo(kept_words(name, path, settings))


@app.command()
def promote(
    number: Annotated[int, typer.Argument(help="The version, e.g. 3.")],
    reason: Annotated[str, typer.Option(help="Kept in the history.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Promote even then; needs a reason.")] = False,
) -> None:
    """Make a version the champion, which draws the next pictures; a check, a guardrail or the votes may forbid it."""
    from feedback.gate.by_hand import promote_by_hand
    from feedback.webhook import announce
    from store.existing import open_existing
    from store.layout import layout_of

    settings = read_settings()
    engine = open_existing(settings)
    promote_by_hand(engine, layout_of(settings), number, reason, force=force)
    typer.echo(f"v{number} is champion now")
    announce(engine, settings)


@app.command()
def propose(
    number: Annotated[int, typer.Argument(help="The version, e.g. 3.")],
    strength: Annotated[float, typer.Option(help="The other strength, above 0.")],
    reason: Annotated[str, typer.Option(help="Kept in the history.")],
) -> None:
    """Make a new version of a LoRA at another strength; it is a challenger, and its pairs say whether it is better."""
    from feedback.gate.proposal import propose_strength
    from store.existing import open_existing
    from store.layout import layout_of

    settings = read_settings()
    made = propose_strength(open_existing(settings), layout_of(settings), number, strength, reason)
    typer.echo(f"v{made} is v{number} at strength {strength:g}, and a challenger now")


@app.command()
def rollback(reason: Annotated[str, typer.Option(help="Kept in the history.")] = "") -> None:
    """Restore the previous champion; run it again to go back another step."""
    from feedback.versions import roll_back
    from feedback.webhook import announce
    from store.existing import open_existing

    settings = read_settings()
    engine = open_existing(settings)
    typer.echo(f"v{roll_back(engine, reason)} is champion again")
    announce(engine, settings)


@app.command()
def withdraw(
    number: Annotated[int, typer.Argument(help="The version, e.g. 3.")],
    reason: Annotated[str, typer.Option(help="Kept in the history.")],
) -> None:
    """Take a version out of use for good: its waiting pictures are dropped, and it cannot be promoted again."""
    from feedback.versions import withdraw
    from store.existing import open_existing

    typer.echo(f"v{number} is withdrawn, v{withdraw(open_existing(read_settings()), number, reason)} is champion")


@app.command()
def stop(reason: Annotated[str, typer.Option(help="Kept in the history.")] = "") -> None:
    """Stop the running retrain after its current step. It makes no version; the next one starts from scratch."""
    from feedback.runs import stop_retrain
    from store.existing import open_existing

    stop_retrain(open_existing(read_settings()), reason)
    typer.echo("the retrain stops after its current step")


@app.command()
def recount() -> None:
    """Compute the counters that the pages read from all votes again."""
    from feedback.pool.tally import rebuild
    from store.engine import writing
    from store.existing import open_existing

    with writing(open_existing(read_settings())) as session:
        rebuild(session)
    typer.echo("every counter was made again from the votes")


@app.command()
def schedule(
    keep: Annotated[bool, typer.Option("--keep", help="First store this shell's settings in the data folder.")] = False,
) -> None:
    """Print a cron line and a systemd timer that retrain when due, with the settings of this shell."""
    from ui.run.schedule import keep_this_shells, schedule_words

    settings = read_settings()
    if keep:
        keep_this_shells(settings)
    typer.echo(schedule_words(settings))


if __name__ == "__main__":
    main()
