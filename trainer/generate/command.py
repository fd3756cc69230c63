"""The command `naysayer generate`."""

from typing import Annotated

import typer

from store.errors import BadRequest
from store.phrases import plural
from store.settings.file import read_settings


def generate(
    once: Annotated[
        bool, typer.Option("--once", help="Fill the queue and the evaluation pictures once, then stop.")
    ] = False,
    gpus: Annotated[
        str, typer.Option(help="One process a card: all, how many (2), or which (0,2). Empty: one process.")
    ] = "",
    processes: Annotated[
        int, typer.Option(min=1, max=256, help="So many processes on one device, such as a CPU with many cores.")
    ] = 1,
    seat: Annotated[str, typer.Option(hidden=True, help="What people call the place of this process.")] = "",
    worker: Annotated[str, typer.Option(hidden=True, help="The worker that this process replaces.")] = "",
) -> None:
    """Draw pictures: keep the queue of unrated pictures filled, until stopped."""
    import logging

    if gpus and processes > 1:
        raise BadRequest("--gpus and --processes were both given; --gpus starts one process a card, so leave one out")
    settings = read_settings()
    if gpus or processes > 1:
        from trainer.generate.group import pick_cards, run_group, share_device

        run_group(pick_cards(gpus) if gpus else share_device(processes), once=once)
        return
    from trainer.sample.worker import generate

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    drawn = generate(settings, once=once, seat_name=seat, name=worker)
    typer.echo(f"drew {plural(drawn, 'picture')}")
