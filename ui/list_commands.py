"""`naysayer prompts` and `naysayer evaluation`: the lists that pictures are drawn from."""

from pathlib import Path
from typing import Annotated

import typer

from store.settings_file import read_settings

prompts = typer.Typer(no_args_is_help=True, help="The prompt list that pictures are drawn from.")
evaluation = typer.Typer(no_args_is_help=True, help="Frozen prompts and seeds that compare versions and never train.")


@evaluation.command("import")
def import_evaluation(
    file: Annotated[Path, typer.Argument(help="TSV, CSV or JSON lines with the columns prompt and seed.")],
    name: Annotated[str, typer.Option(help="What the set is called; empty: the file's name.")] = "",
) -> None:
    """Freeze the prompts and seeds of a file as the evaluation set in use; pairs that were trained on are refused."""
    from feedback.sample.evaluation import import_set, read_pairs
    from store.migrate import open_store
    from ui.words import set_line

    typer.echo(set_line(import_set(open_store(read_settings()), name or file.stem, read_pairs(file))))


@evaluation.command("new")
def new_evaluation(
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of prompt and seed.")] = 200,
    name: Annotated[str, typer.Option(help="What the set is called.")] = "fresh",
) -> None:
    """Freeze an evaluation set of new pairs, spread over the prompt list, and use it from now on."""
    from feedback.sample.evaluation import new_set
    from store.migrate import open_store
    from ui.words import set_line

    typer.echo(set_line(new_set(open_store(read_settings()), name, pairs)))


@evaluation.command("list")
def list_evaluation() -> None:
    """List the evaluation sets, newest first."""
    from feedback.sample.evaluation import list_sets
    from store.migrate import read_store
    from ui.words import set_line

    rows = list_sets(read_store(read_settings()))
    typer.echo("\n".join(map(set_line, rows)) or "no evaluation set yet; the worker makes the default one")


@prompts.command("add")
def add_prompt(texts: Annotated[list[str], typer.Argument(help="One or more prompts, each in quotes.")]) -> None:
    """Add prompts to the list."""
    from feedback.sample.prompts import add_prompts
    from store.migrate import open_store

    typer.echo(f"{add_prompts(open_store(read_settings()), texts, source='command line')} new prompts")


@prompts.command("import")
def import_prompts(file: Annotated[Path, typer.Argument(help="Text (a prompt a line), TSV, or JSON lines.")]) -> None:
    """Add every prompt of a file: one a line, or the `prompt` column of a TSV or JSON-lines file."""
    from feedback.sample.prompts import add_prompts, read_prompt_file
    from store.migrate import open_store

    texts = read_prompt_file(file)
    added = add_prompts(open_store(read_settings()), texts, source=file.name)
    typer.echo(f"{added} new prompts out of {len(texts)} in {file.name}")


@prompts.command("list")
def list_prompts() -> None:
    """Print the prompts, one a line."""
    from feedback.sample.prompts import list_prompts
    from store.migrate import read_store

    for prompt in list_prompts(read_store(read_settings())):
        typer.echo(prompt.text)
