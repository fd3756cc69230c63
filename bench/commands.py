"""The benches' part of the command line."""

from typing import Annotated

import typer

from store.settings import read_settings

app = typer.Typer()
benches = typer.Typer(
    no_args_is_help=True, help="Side-by-side measurements; --json prints one object on standard output."
)
app.add_typer(benches, name="bench")


@app.command()
def simulate(
    raters: Annotated[int, typer.Option(min=1, help="How many simulated raters.")] = 3,
    votes: Annotated[int, typer.Option(min=1, help="Votes to give in all.")] = 300,
    error_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of votes that are the wrong way round.")
    ] = 0.05,
    skip_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of pictures skipped.")] = 0.0,
    pace_s: Annotated[float, typer.Option(min=0, help="Seconds a rater takes for a vote.")] = 0.0,
    retrain: Annotated[bool, typer.Option(help="Retrain and promote whenever a retrain is due.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the raters' slips.")] = 0,
) -> None:
    """Let simulated raters vote on the built-in model's pictures through the real store and queue; print the rates."""
    from bench.simulate import Habits, simulate
    from feedback.summary import version_rows
    from store.migrate import open_store
    from ui.words import version_table

    settings = read_settings()
    simulate(settings, raters, votes, Habits(error_rate, skip_rate, pace_s, seed), retrain_when_due=retrain)
    typer.echo(version_table(version_rows(open_store(settings))))


@benches.command("gate")
def bench_gate(
    runs: Annotated[int, typer.Option(min=1, help="Simulated runs of each case.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """How often the gate promotes what is no better, and what is, with a look after every pair."""
    import json

    from bench.gate import bench_gate, gate_table

    typer.echo(json.dumps(bench_gate(runs, seed)) if as_json else gate_table(runs, seed))


@benches.command("store")
def bench_store(
    images: Annotated[int, typer.Option(min=500, help="Pictures in the store.")] = 1_000_000,
    votes: Annotated[int, typer.Option(min=1, help="Votes on them.")] = 3_000_000,
    versions: Annotated[int, typer.Option(min=2, help="Versions.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """How long picks, votes, pages and the pool take in a large store; NAYSAYER_STORE_URL may name an empty one."""
    import json

    from bench.store import bench_store

    found = bench_store(read_settings(), images, votes, versions)
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{name}: {value}" for name, value in found.items()))
