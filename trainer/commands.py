"""The trainer's part of the command line. torch is imported inside the commands, so that `--help` stays quick."""

from pathlib import Path
from typing import Annotated

import typer

from store.settings import read_settings

app = typer.Typer()


@app.command()
def generate(
    once: Annotated[bool, typer.Option("--once", help="Fill the queue and the grids once, then stop.")] = False,
) -> None:
    """Draw pictures: keep the queue of unrated pictures filled, until stopped."""
    import logging

    from trainer.worker import generate

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    drawn = generate(read_settings(), once=once)
    typer.echo(f"drew {drawn} pictures")


@app.command()
def retrain(
    force: Annotated[bool, typer.Option("--force", help="Retrain even when too few new rejects have come.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line on standard output, for monitoring.")] = False,
) -> None:
    """Fit a negative LoRA on the reject pool and publish it, when due; safe to call from cron every minute."""
    from feedback.announce import announce
    from store.migrate import open_store
    from trainer.retrain import retrain
    from trainer.runlog import Told, logged

    settings = read_settings()

    def tell(told: Told) -> None:
        if said := told.line if as_json else told.sentence:
            typer.echo(said)

    try:
        logged(settings, lambda: retrain(settings, force=force), tell)
    finally:
        announce(open_store(settings), settings)


@app.command()
def builtin_model(
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")] = Path("trainer/builtin/model"),
    seed: Annotated[int, typer.Option(help="Seed of the drawn pictures and of the training.")] = 0,
) -> None:
    """Train the built-in miniature SDXL anew, from seeds (under two hours on two cores, minutes on a GPU)."""
    from trainer.builtin.build import main

    main(out, seed)


@app.command()
def doctor() -> None:
    """Say what is wrong with this installation, store and model; exit 1 when anything is."""
    from trainer.doctor import examine

    findings = examine(read_settings())
    for finding in findings:
        typer.echo(f"{'ok     ' if finding.is_fine else 'PROBLEM'} {finding.sentence}")
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)
