"""The command `naysayer bench card`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def bench_card(
    computed: Annotated[bool, typer.Option("--computed", help="Only compute what cards of usual sizes do.")] = False,
    docs: Annotated[Path | None, typer.Option(help="Page to write the table into.")] = None,
    record: Annotated[Path | None, typer.Option(help="File to write the record to, e.g. docs/card.json.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    model: Annotated[str, typer.Option(help="full-size-random, or builtin to try this command.")] = "full-size-random",
    minutes: Annotated[float, typer.Option(min=1, help="Least important parts are left out to end within these.")] = 8,
    diffusers_script: Annotated[
        Path | None, typer.Option(help="diffusers' train_text_to_image_lora_sdxl.py, run as it is.")
    ] = None,
    kohya_script: Annotated[Path | None, typer.Option(help="kohya's sdxl_train_network.py, run as it is.")] = None,
    python: Annotated[Path, typer.Option(help="Interpreter for diffusers' script.")] = Path(sys.executable),
    kohya_python: Annotated[Path, typer.Option(help="Interpreter for kohya's script.")] = Path(sys.executable),
    tokenizers: Annotated[
        Path | None,
        typer.Option(help="Folder with SDXL's tokenizer and tokenizer_2; the built-in model's if not given."),
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary files go: 10 GB.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Does this card compute SDXL at full size right, in little memory, and how fast? Random weights, no network."""
    if computed:
        from bench.card.computed import full_size, table, write_into

        found = table(full_size())
        if docs is not None:
            write_into(docs, found)
        typer.echo(found)
        return
    from bench.card.card import run_card
    from bench.card.page import write_measured
    from bench.card.parts.peers import Scripts

    scripts = Scripts(diffusers_script, kohya_script, python, kohya_python, tokenizers)
    card = run_card(device, model, scripts, minutes, folder)
    if record is not None:
        record.write_text(json.dumps(card.as_json(), indent=1) + "\n")
    if docs is not None:
        write_measured(docs, card.as_json())
    typer.echo(json.dumps(card.as_json()) if as_json else card.words)
    if not card.holds:
        raise typer.Exit(1)
