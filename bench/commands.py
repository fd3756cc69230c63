"""The commands `naysayer simulate` and `naysayer bench`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.card.command import bench_card
from bench.exchange.command import bench_exchange, bench_import
from bench.imported.command import bench_imported
from bench.pace.command import pace
from bench.scale.command import bench_scale
from bench.turns.command import bench_turns
from store.settings.file import read_settings

NAMES = "drawn, compositions or package.module:NAME"

app = typer.Typer()
benches = typer.Typer(no_args_is_help=True, help="Benchmarks; --json prints one object on standard output.")
app.add_typer(benches, name="bench")
benches.command("turns")(bench_turns)
benches.command("card")(bench_card)
benches.command("exchange")(bench_exchange)
benches.command("import")(bench_import)
benches.command("imported")(bench_imported)
benches.command()(pace)
benches.command("scale")(bench_scale)


@app.command()
def simulate(
    raters: Annotated[int, typer.Option(min=1, help="How many simulated raters.")] = 3,
    votes: Annotated[int, typer.Option(min=1, help="Votes to give in all.")] = 300,
    error_rate: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of wrong votes; the default is that of real raters."),
    ] = 0.158,
    skip_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of pictures skipped.")] = 0.0,
    pace_s: Annotated[float, typer.Option(min=0, help="Median seconds for a vote; people need about 8.")] = 0.0,
    retrain: Annotated[bool, typer.Option(help="Retrain and promote whenever a retrain is due.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the raters' mistakes.")] = 0,
    world: Annotated[str, typer.Option(help=f"The world whose model draws: {NAMES}.")] = "drawn",
) -> None:
    """Let simulated raters vote on the pictures of a drawn world, through the real store and queue; print the rates."""
    from bench.loop.simulate import Habits, simulate
    from bench.loop.worlds import find_world
    from feedback.figures.summary import version_rows
    from store.migrate import open_store
    from ui.words import version_table

    settings = read_settings()
    habits = Habits(error_rate, skip_rate, pace_s, seed, world=find_world(world))
    simulate(settings, raters, votes, habits, retrain_when_due=retrain)
    typer.echo(version_table(version_rows(open_store(settings))))


@benches.command()
def loop(
    folder: Annotated[
        Path, typer.Option(help="Keeps stores and finished rows; a second call continues from them.")
    ] = Path("bench-loop"),
    replicates: Annotated[int, typer.Option(min=1, help="Independent repetitions, each with its own seeds.")] = 3,
    first: Annotated[
        int, typer.Option(min=0, max=900, help="Seed of the first replicate; the defaults were chosen on other seeds.")
    ] = 40,
    votes: Annotated[int, typer.Option(min=10, help="Votes in each round.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, max=3, help="Rounds of the default method.")] = 3,
    processes: Annotated[int, typer.Option(min=1, help="Replicates at once, one thread each.")] = 2,
    worlds: Annotated[
        list[str] | None, typer.Option("--world", help=f"{NAMES}; may be given several times; both if not given.")
    ] = None,
    docs: Annotated[Path | None, typer.Option(help="Folder to write evidence.md, .json, .png and the grid to.")] = None,
    others: Annotated[bool, typer.Option(help="Other objectives and rules too.")] = True,
    measure: Annotated[
        bool,
        typer.Option(help="Measure what is missing; else only show the finished rows, without the grid of pictures."),
    ] = True,
    short: Annotated[bool, typer.Option("--short", help="Only the base and one round of the default method.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Does the loop lower the share of wrong pictures, and by which method? About an hour for a world on two cores."""
    from bench.loop.charts import grid, plot
    from bench.loop.loop import finished, require_rows, run
    from bench.loop.record_page import page, tables
    from bench.loop.rows import Plan
    from bench.loop.summary import make_record
    from bench.loop.worlds import WORLDS, find_world

    settings, seeds = read_settings(), range(first, first + replicates)
    plans = [Plan(world, votes=votes, rounds=rounds, has_others=others, is_short=short) for world in worlds or WORLDS]
    names = [find_world(plan.world).name for plan in plans]
    if measure:
        for name, plan in zip(names, plans, strict=True):
            run(settings, folder / name, plan, seeds, processes)
    rows = [[row for seed in seeds for row in finished(folder / name, seed)] for name in names]
    for name, known in zip(names, rows, strict=True):
        require_rows(folder / name, known, for_page=docs is not None)
    found = make_record(list(zip(plans, rows, strict=True)))
    if docs is not None:
        (docs / "evidence.json").write_text(found.to_json(indent=1) + "\n")
        (docs / "evidence.md").write_text(page(found))
        plot(found, docs / "evidence.png")
        for name, plan in zip(names, plans, strict=True) if measure else ():
            grid(settings, folder / name, plan, first, docs / f"evidence-grid-{name}.png")
    typer.echo(found.to_json() if as_json else tables(found))


@benches.command()
def asking(
    folder: Annotated[
        Path, typer.Option(help="Keeps stores and finished points; a second call continues from them.")
    ] = Path("bench-asking"),
    share: Annotated[float, typer.Option(min=0.01, max=0.9, help="NAYSAYER_ASK_SHARE that is measured.")] = 0.5,
    replicates: Annotated[int, typer.Option(min=1, help="Independent repetitions, each with its own seeds.")] = 3,
    first: Annotated[int, typer.Option(min=0, max=900, help="Seed of the first replicate.")] = 100,
    votes: Annotated[int, typer.Option(min=10, help="Votes before each retrain.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="Retrains.")] = 6,
    processes: Annotated[int, typer.Option(min=1, help="Runs at once, one thread each.")] = 2,
    world: Annotated[str, typer.Option(help=f"The world whose model draws: {NAMES}.")] = "drawn",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How many votes does it save to ask what teaches most? Hours on two cores."""
    from bench.asking.votes_saved import Plan, measure, table

    plan = Plan(world, share, votes, rounds)
    points = measure(read_settings(), folder, plan, range(first, first + replicates), processes)
    typer.echo(json.dumps({"points": [point._asdict() for point in points]}) if as_json else table(points, plan))


@benches.command("queue")
def bench_queue(
    pictures: Annotated[int, typer.Option("--images", min=100, help="Queued pictures in the store.")] = 1_000_000,
    votes: Annotated[int, typer.Option(min=0, help="Votes in the store.")] = 3_000_000,
    picks: Annotated[int, typer.Option(min=10, help="How often the next pictures are asked for.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How long it takes to find a rater's next pictures in a large SQLite store."""
    from bench.rate.queue import measure_queue, table

    found = measure_queue(pictures, votes, picks)
    typer.echo(json.dumps(found) if as_json else table(found))


@benches.command("plan")
def bench_plan(
    prompts: Annotated[
        list[int] | None, typer.Option("--prompts", min=1, help="Length of the list; may be given several times.")
    ] = None,
    votes: Annotated[int, typer.Option(min=10, help="Timed votes for each length.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How long a plan takes, and a vote beside a worker that plans, as the list of prompts grows."""
    from bench.rate.planning import measure_planning, table

    rows = measure_planning(prompts or [200, 10_000, 100_000], votes)
    typer.echo(json.dumps({"rows": [row._asdict() for row in rows]}) if as_json else table(rows))


@benches.command("ratings")
def bench_ratings(
    folder: Annotated[Path, typer.Argument(help="Folder with the published ratings of ImagenHub, GenEval and Intel.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What real raters do: agreement, mistakes and pace, from published ratings of generated pictures."""
    from bench.rate.ratings import figures

    found = figures(folder)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, row in found.items():
        typer.echo(f"{name:<22}" + "   ".join(f"{key} {value:,.4g}" for key, value in row.items()))


@benches.command("gate")
def bench_gate(
    runs: Annotated[int, typer.Option(min=1, help="Simulated runs of each case.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How often the gate promotes a better version, and one that is no better, when it looks after every pair."""
    from bench.gate import bench_gate, table

    typer.echo(json.dumps(bench_gate(runs, seed)) if as_json else table(runs, seed))


@benches.command("store")
def bench_store(
    pictures: Annotated[int, typer.Option("--images", min=500, help="Pictures in the store.")] = 1_000_000,
    votes: Annotated[int, typer.Option(min=1, help="Votes on them.")] = 3_000_000,
    versions: Annotated[int, typer.Option(min=2, help="Versions.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How long picks, votes, pages and the pool take in a large store. NAYSAYER_STORE_URL may name an empty one."""
    from bench.filling import Size
    from bench.store import bench_store

    found = bench_store(read_settings(), Size(pictures, votes, versions))
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{name}: {value}" for name, value in found.items()))


@benches.command("sample")
def bench_sample(
    batch: Annotated[
        int | None, typer.Option(min=1, help="Pictures drawn at once; NAYSAYER_SAMPLE_BATCH if not given.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds in each process.")] = 12,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that measure one after the other; figures are medians over them.")
    ] = 9,
    wide: Annotated[bool, typer.Option(help="Also a random SDXL at a quarter of its width.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How much longer each sampling rule takes than plain guidance with as many rows, and pictures a second."""
    from bench.sample import bench_sample, table

    settings = read_settings()
    how = (batch or settings.sample_batch, rounds, processes)
    found = bench_sample(settings, *how, is_wide=wide)
    typer.echo(json.dumps(found) if as_json else table(found))


@benches.command("ui")
def bench_ui(
    presses: Annotated[int, typer.Option(min=10, help="Timed key presses in each case.")] = 100,
    label_studio: Annotated[
        Path | None, typer.Option(help="Label Studio's program (…/bin/label-studio), to measure it too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Time from key press to next picture: one rater, twenty, during a retrain, and on a naive page. Needs Chromium."""
    from bench.rate.latency import measure_latency

    found = measure_latency(presses, studio=label_studio)
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{name}: {value}" for name, value in found.items()))


@benches.command("train")
def bench_train(
    diffusers_script: Annotated[
        Path | None, typer.Option(help="diffusers' train_text_to_image_lora_sdxl.py, run as it is.")
    ] = None,
    python: Annotated[
        Path, typer.Option(help="Interpreter for that script, with datasets, torchvision and tensorboard.")
    ] = Path(sys.executable),
    pictures: Annotated[int, typer.Option("--images", min=8, help="Pictures in the pool.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="Pictures in each step, on both sides.")] = 64,
    micro_batch: Annotated[
        int, typer.Option(min=1, help="Pictures in each of our passes (NAYSAYER_MICRO_BATCH).")
    ] = 16,
    steps: Annotated[int, typer.Option(min=2, help="Steps of a retrain.")] = 40,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Retrains of each side; the sides take turns.")] = 3,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    model: Annotated[str, typer.Option(help="builtin or full-size-random (1024 px, bf16).")] = "builtin",
    checkpointing: Annotated[bool, typer.Option(help="Gradient checkpointing on both sides.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the temporary files go.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """A whole retrain beside diffusers' own script: pictures a second, peak memory, held-out loss."""
    from bench.retrain.train import FULL_SIZE, Plan, bench_train, find_script, table

    dtype = "bf16" if model == FULL_SIZE else "fp32"
    plan = Plan(pictures, batch, micro_batch, steps, rank, rounds, 5e-4, device, dtype, model, checkpointing)
    found = bench_train(plan, find_script(diffusers_script), python, folder)
    typer.echo(json.dumps(found) if as_json else table(found))


@benches.command("pool-size")
def bench_pool_size(
    sizes: Annotated[
        list[int] | None, typer.Option("--size", min=50, help="Pictures in the pool; may be given several times.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Preparations of each size; the sizes take turns.")] = 3,
    docs: Annotated[Path | None, typer.Option(help="Folder to write pool-size.json and pool-size.png to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What it costs to prepare a retrain as the pool grows and the number of new rejects stays the same."""
    from bench.retrain.pool_size import bench_pool_size, plot, table

    found = bench_pool_size(sizes or [100, 1_000, 10_000], rounds)
    if docs is not None:
        (docs / "pool-size.json").write_text(json.dumps(found, indent=1) + "\n")
        plot(found, docs / "pool-size.png")
    typer.echo(json.dumps(found) if as_json else table(found))


@benches.command("memory")
def bench_memory(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What each memory setting saves and costs: two steps of a fit, and the decoding of four pictures."""
    from bench.retrain.memory import bench_memory, table

    found = bench_memory()
    typer.echo(json.dumps(found) if as_json else table(found))
