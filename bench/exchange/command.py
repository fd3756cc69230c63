"""The commands `naysayer bench exchange` and `naysayer bench import`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def bench_exchange(
    script: Annotated[
        Path | None, typer.Option(help="diffusers' train_diffusion_dpo_sdxl.py, run as it is, up to its first step.")
    ] = None,
    python: Annotated[
        Path, typer.Option(help="Interpreter for that script, with datasets, torchvision, tensorboard and wandb.")
    ] = Path(sys.executable),
    label_studio: Annotated[
        Path | None,
        typer.Option(help="Label Studio's program (…/bin/label-studio): tasks in, votes back."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Do other programs take an exported folder as it is? Each that is named reads one."""
    from bench.exchange import dpo
    from bench.exchange import label_studio as studio
    from store.errors import BadRequest

    if script is None and label_studio is None:
        raise BadRequest("no program is named; give --script, --label-studio or both")
    found: dict[str, Any] = {}
    lines = []
    if script is not None:
        found["dpo"] = dpo.measure_dpo(script, python)
        lines.append(dpo.table(found["dpo"]))
    if label_studio is not None:
        found["label_studio"] = studio.measure_label_studio(label_studio)
        lines.append(studio.table(found["label_studio"]))
    typer.echo(json.dumps(found) if as_json else "\n".join(lines))


def bench_import(
    pictures: Annotated[int, typer.Option("--pictures", min=2, help="How many pictures of 1024×1024.")] = 10_000,
    folder: Annotated[
        Path | None, typer.Option(help="Where the scratch files go, 2 MB a picture; the system's place if not given.")
    ] = None,
    label_studio: Annotated[
        Path | None, typer.Option(help="Label Studio's program (…/bin/label-studio), to time it on the same folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How fast pictures come in and go out again, and in how much memory. An hour on two cores; needs Linux."""
    from bench.exchange.many import measure_many

    found = measure_many(pictures, folder, label_studio, lambda line: typer.echo(line, err=as_json))
    if as_json:
        typer.echo(json.dumps(found))
