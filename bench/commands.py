"""The benches' part of the command line."""

import json
from pathlib import Path
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


@benches.command()
def loop(
    folder: Annotated[
        Path, typer.Option(help="Keeps stores and finished rows; a second call goes on from them.")
    ] = Path("bench-loop"),
    replicates: Annotated[int, typer.Option(min=1, help="Independent repetitions, each with seeds of its own.")] = 3,
    votes: Annotated[int, typer.Option(min=10, help="Votes a round.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, max=3, help="Rounds of the default method.")] = 3,
    processes: Annotated[int, typer.Option(min=1, help="Replicates at once, one thread each.")] = 2,
    docs: Annotated[Path | None, typer.Option(help="Folder to write evidence.md, .json, .png and the grid to.")] = None,
    short: Annotated[bool, typer.Option("--short", help="The base and one round of the default method alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Does the loop lower the share of wrong pictures, and by which method? About an hour on two cores."""
    from bench.evidence import grid, plot, record
    from bench.evidence_page import page, table
    from bench.loop import Plan, run

    settings, plan = read_settings(), Plan(votes=votes, rounds=rounds, is_short=short)
    found = record(run(settings, folder, plan, range(replicates), processes), plan)
    if docs is not None:
        (docs / "evidence.json").write_text(json.dumps(found, indent=1) + "\n")
        (docs / "evidence.md").write_text(page(found))
        plot(found, docs / "evidence.png")
        grid(settings, folder, plan, docs / "evidence-grid.png")
    typer.echo(json.dumps(found) if as_json else table(found))
