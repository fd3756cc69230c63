"""`naysayer prompts` and `naysayer evaluation`: the lists that pictures are drawn from."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from store.settings.file import read_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from feedback.sample.prompts import Imported
    from store.settings import Settings

KINDS = ".txt, .csv, .tsv, .json, .jsonl, .jsonlines or .ndjson"
prompts = typer.Typer(no_args_is_help=True, help="The prompt list that pictures are drawn from.")
evaluation = typer.Typer(no_args_is_help=True, help="Frozen prompts and seeds that compare versions and never train.")


@evaluation.command("import")
def import_evaluation(
    file: Annotated[Path, typer.Argument(help=f"{KINDS[6:]}, with the columns prompt and seed.")],
    name: Annotated[str, typer.Option(help="What the set is called; empty: the file's name.")] = "",
) -> None:
    """Freeze the prompts and seeds of a file as the evaluation set in use; pairs that were trained on are refused."""
    from feedback.sample.evaluation import import_set
    from feedback.sample.lists.pairs import read_pairs
    from feedback.sample.lists.rows import file_name
    from ui.words import set_line

    pairs = read_pairs(file)
    typer.echo(set_line(import_set(_open_or_begin(read_settings()), name or file_name(Path(file.stem)), pairs)))


@evaluation.command("new")
def new_evaluation(
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of prompt and seed.")] = 200,
    name: Annotated[str, typer.Option(help="What the set is called.")] = "fresh",
) -> None:
    """Freeze an evaluation set of new pairs, spread over the prompt list, and use it from now on."""
    from feedback.sample.evaluation import new_set
    from store.existing import open_existing
    from ui.words import set_line

    typer.echo(set_line(new_set(open_existing(read_settings()), name, pairs)))


@evaluation.command("use")
def use_evaluation(number: Annotated[int, typer.Argument(help="The set, e.g. 2.")]) -> None:
    """Use an older evaluation set again; what was drawn and judged for any set stays."""
    from feedback.sample.evaluation import use_set
    from store.existing import open_existing
    from ui.words import set_line

    typer.echo(set_line(use_set(open_existing(read_settings()), number)))


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
    from feedback.sample.prompts import import_prompts
    from ui.words import imported_words

    settings = read_settings()
    engine = _open_or_begin(settings)
    imported = import_prompts(engine, texts, source="command line")
    typer.echo(imported_words(imported, len(texts)))
    if not settings.weighs_prompts:
        _say_what_is_cut(engine, imported)


@prompts.command("import")
def import_prompts(file: Annotated[Path, typer.Argument(help=f"{KINDS}; text has a prompt a line.")]) -> None:
    """Add every prompt of a file: one a line, or what stands under `prompt` in a table or a JSON file."""
    from feedback.sample.lists.rows import file_name
    from feedback.sample.prompts import import_prompts, read_prompt_file
    from ui.words import foreign_words, imported_words

    listed = read_prompt_file(file)
    settings = read_settings()
    engine = _open_or_begin(settings)
    imported = import_prompts(engine, [one.text for one in listed], source=file_name(file))
    typer.echo(imported_words(imported, len(listed), file_name(file)))
    if foreign := foreign_words(listed, is_weighted=settings.weighs_prompts):
        typer.echo(foreign)
    if not settings.weighs_prompts:
        _say_what_is_cut(engine, imported)


def _open_or_begin(settings: "Settings") -> "Engine":
    """The store; a new one, as a list may come before the first start, is said on standard error."""
    from store.existing import place_of_none
    from store.migrate import open_store

    place = place_of_none(settings)
    engine = open_store(settings)
    if place:
        typer.echo(f"naysayer: a new store begins in {place}, where there was none", err=True)
    return engine


def _say_what_is_cut(engine: "Engine", imported: "Imported") -> None:
    """Has the model's tokenizers count, in a separate process, because pages and commands load no model."""
    from feedback.sample.cut_prompts import cut_prompts, cut_sentence, has_uncounted

    if imported.number is None:
        return
    if has_uncounted(engine, imported.number):
        subprocess.run(
            [sys.executable, "-m", "trainer.commands", "count-tokens"], stdout=subprocess.DEVNULL, check=False
        )
    if cut := cut_sentence(cut_prompts(engine, imported.number)):
        typer.echo(cut)


@prompts.command("list")
def list_prompts(
    everything: Annotated[
        bool, typer.Option("--all", help="With their import and state, paused and removed ones too.")
    ] = False,
) -> None:
    """Print the prompts that pictures are drawn from, one a line."""
    from feedback.sample.prompts import list_prompts
    from store.migrate import read_store
    from ui.words import prompt_line

    for prompt in list_prompts(read_store(read_settings())):
        if everything or prompt.is_active:
            typer.echo(prompt_line(prompt) if everything else prompt.text)


@prompts.command("imports")
def list_imports() -> None:
    """List what was imported: number, day, prompts in use, paused and removed, source."""
    from feedback.sample.prompts import list_imports
    from store.migrate import read_store
    from ui.words import import_line

    rows = list_imports(read_store(read_settings()))
    typer.echo("\n".join(map(import_line, rows)) or "nothing was imported yet; `naysayer prompts import FILE`")


Texts = Annotated[list[str] | None, typer.Argument(help="Prompts, each in quotes.")]
Source = Annotated[str, typer.Option(help="All prompts of this source instead, e.g. a file's name.")]
Import = Annotated[int | None, typer.Option("--import", help="All prompts that this import brought instead.")]


@prompts.command("remove")
def remove(texts: Texts = None, source: Source = "", number: Import = None) -> None:
    """Never draw from these prompts again; their pictures and votes stay, their evaluation pairs are left out."""
    _change("remove", texts, source, number)


@prompts.command("pause")
def pause(texts: Texts = None, source: Source = "", number: Import = None) -> None:
    """Draw no new pictures from these prompts until they are restored; their evaluation pairs stay in use."""
    _change("pause", texts, source, number)


@prompts.command("restore")
def restore(texts: Texts = None, source: Source = "", number: Import = None) -> None:
    """Draw from these prompts again."""
    _change("restore", texts, source, number)


@prompts.command("weigh")
def weigh(
    weight: Annotated[int, typer.Argument(help="A whole number from 1 (as usual) to 10.")],
    texts: Texts = None,
    source: Source = "",
    number: Import = None,
) -> None:
    """Draw so many times as often from these prompts as from others."""
    from feedback.sample.setting_aside import Which, weigh_prompts
    from store.existing import open_existing
    from store.phrases import plural

    changed = weigh_prompts(open_existing(read_settings()), Which(texts or [], source, number), weight)
    typer.echo(f"{plural(changed, 'prompt')} changed; each is drawn {weight} times in a round of the list")


def _change(name: str, texts: list[str] | None, source: str, number: int | None) -> None:
    from feedback.sample.setting_aside import Change, Which, change_prompts
    from store.existing import open_existing
    from ui.words import changed_words

    which, change = Which(texts or [], source, number), Change(name)
    typer.echo(changed_words(change, change_prompts(open_existing(read_settings()), which, change)))
