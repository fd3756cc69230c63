"""The command `naysayer bench exchange`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def bench_exchange(
    script: Annotated[Path, typer.Option(help="diffusers' train_diffusion_dpo_sdxl.py, run as it is.")],
    python: Annotated[
        Path, typer.Option(help="Interpreter for that script, with datasets, torchvision, tensorboard and wandb.")
    ] = Path(sys.executable),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Does another project's trainer take an exported folder? Pairs into Diffusion-DPO, up to its first step."""
    from bench.exchange.dpo import measure_dpo, table

    found = measure_dpo(script, python)
    typer.echo(json.dumps(found) if as_json else table(found))
