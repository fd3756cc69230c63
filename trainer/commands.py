"""The trainer's commands; `python -m trainer.commands` runs them without those of `ui`.

torch is imported inside the commands, so that `--help` stays quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from store.phrases import plural
from store.process import run_command
from store.settings.file import read_settings
from trainer.generate.command import generate
from trainer.sort.command import sort

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
imports = typer.Typer(no_args_is_help=True, help="Bring in files that others made.")
app.add_typer(imports, name="import")
controls = typer.Typer(no_args_is_help=True, help="Pictures whose answer is known, mixed in to measure raters.")
app.add_typer(controls, name="controls")
app.command()(generate)
app.command()(sort)


@app.command()
def draw(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[PROMPTS]", help="Prompts, each in quotes.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A list of prompts: .txt, .csv, .tsv, .json, .jsonl, .jsonlines or .ndjson.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures; what is there is not drawn again.")] = Path(
        "drawn"
    ),
    version: Annotated[int | None, typer.Option(min=0, help="The version that draws; empty: the champion.")] = None,
    number: Annotated[int, typer.Option(min=1, max=10_000, help="Pictures of each prompt.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a prompt's first picture; the next ones count on.")] = 0,
    tries: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=99,
            help="How often a picture that the check takes for a reject is drawn again; empty: NAYSAYER_TRIES.",
        ),
    ] = None,
    best_of: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Drawings of every picture, of which the best by the check is kept."),
    ] = None,
) -> None:
    """Draw pictures of your prompts into a folder with the champion and its check; run it again to go on."""
    from trainer.draw.draw import Order, draw, gather_prompts, report_words

    settings = read_settings()
    order = Order(gather_prompts(texts or [], prompts), out, number, seed, version, tries, best_of)
    report = draw(settings, order, lambda said: typer.echo(said, err=True))
    typer.echo(report_words(report, out))


@app.command()
def retrain(
    force: Annotated[bool, typer.Option("--force", help="Retrain even with too few new rejects.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line on standard output, for monitoring.")] = False,
) -> None:
    """When due, fit a negative LoRA on the pool and publish it; safe to call from cron every minute."""
    from feedback.settings_used import warning
    from feedback.webhook import announce
    from store.errors import StoreError
    from store.existing import open_existing
    from store.layout import layout_of
    from store.migrate import open_store
    from trainer.retrain.processes import is_leader
    from trainer.retrain.retrain import retrain
    from trainer.retrain.running.runlog import Report, log_run

    settings = read_settings()
    if not is_leader():
        retrain(settings)
        return
    open_existing(settings).dispose()
    if differing := warning(layout_of(settings), settings):
        typer.echo(f"naysayer: {differing}", err=True)

    def show(report: Report) -> None:
        if text := report.line if as_json else report.sentence:
            typer.echo(text)

    try:
        log_run(settings, lambda: retrain(settings, force=force), show)
    except StoreError:
        raise  # a store that cannot be used, or is gone, is not opened again
    except Exception:
        announce(open_store(settings), settings)
        raise
    announce(open_store(settings), settings)


@app.command()
def builtin_model(
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")] = Path("trainer/builtin/model"),
    seed: Annotated[int, typer.Option(help="Seed of the drawn pictures and of the training.")] = 0,
) -> None:
    """Train the built-in miniature SDXL from scratch (under two hours on two cores, minutes on a GPU)."""
    from trainer.builtin.build import main

    main(out, seed)


@app.command()
def count_tokens() -> None:
    """Count how much of each prompt the model reads; `prompts import` does it for long ones, and so does the worker."""
    from functools import partial

    from feedback.sample.cut_prompts import count_read, cut_prompts, cut_sentence
    from store.existing import open_existing
    from trainer.base.tokenizers import characters_read, load_tokenizers

    settings = read_settings()
    engine = open_existing(settings)
    count_read(engine, None if settings.weighs_prompts else partial(characters_read, load_tokenizers(settings)))
    typer.echo(cut_sentence(cut_prompts(engine)) or "the model reads every prompt to its end")


@app.command()
def doctor() -> None:
    """Check this installation, its store and its model; exit 1 when anything is wrong."""
    from trainer.doctor import examine

    findings = examine(read_settings())
    for finding in findings:
        typer.echo(f"{'ok     ' if finding.is_fine else 'PROBLEM'} {finding.sentence}")
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)


@imports.command("lora")
def import_lora(
    file: Annotated[Path, typer.Argument(help="A .safetensors LoRA for SDXL, with kohya's or diffusers' names.")],
    negative_prompt: Annotated[
        str, typer.Option(help="Trigger word that the file needs in the negative prompt, e.g. wrong.")
    ] = "",
) -> None:
    """Register somebody else's negative LoRA as a version, to compare it by votes."""
    from trainer.retrain.importing import import_lora

    typer.echo(import_lora(read_settings(), file, negative_prompt=negative_prompt).sentence)


@imports.command("pictures")
def import_pictures(
    source: Annotated[str, typer.Argument(help="A folder with everything in it, or a ZIP archive.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what each file holds; nothing comes in.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: one JSON object a file.")] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="A list of what files do not say, .csv or .jsonl: file, prompt, negative_prompt, seed, steps, model; "
            "empty: metadata.csv or metadata.jsonl among the pictures."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="What a model's name or hash is, e.g. 45a21ea00a=sdxl, or =ours for this store's own base."),
    ] = None,
    processes: Annotated[int, typer.Option(min=0, max=64, help="Processes that read; 0: one a core.")] = 0,
) -> None:
    """Bring in pictures of other programs with their prompts, to be rated; run again to go on."""
    import json
    import os

    from feedback.exchange.pictures import importing
    from feedback.exchange.pictures.bases import drawn_size, parse_models, wait_for_base, why_no_base
    from feedback.exchange.pictures.lines import as_line, as_object
    from feedback.exchange.pictures.mapping import own_mapping, read_mapping
    from feedback.exchange.pictures.outcome import Report, Terms
    from feedback.exchange.pictures.progress import as_bar
    from feedback.exchange.pictures.sources import open_source
    from feedback.exchange.pictures.unknown import Unknown
    from store.existing import open_existing
    from store.layout import layout_of
    from store.migrate import read_store

    def say(line: str) -> None:
        typer.echo(line, err=True)

    settings, said = read_settings(), parse_models(model or [])
    opened = open_source(source)
    mapped = read_mapping(mapping) if mapping else own_mapping(opened, say)
    engine = read_store(settings) if dry_run else open_existing(settings)
    if not dry_run:
        wait_for_base(engine, say)
    terms = Terms(drawn_size(engine), settings.other_bases)
    several = processes or importing.default_processes(os.cpu_count())
    order = importing.Import(engine, opened, terms, mapped, said, several)
    if dry_run:
        report, nameless = Report(), Unknown()
        with as_bar("reading") as on_progress:
            for one in importing.look_at(order, report, on_progress):
                nameless.count(one)
                typer.echo(json.dumps(as_object(one)) if as_json else as_line(one))
        typer.echo(report.words, err=as_json)
        for line in filter(None, (nameless.advice(opened.path), why_no_base(engine))):
            say(f"naysayer: {line}")
        return
    typer.echo(importing.import_pictures(order, layout_of(settings).blobs, say).words)


@controls.command("draw")
def draw_controls(
    count: Annotated[int, typer.Option(min=2, max=2000, help="How many pictures, half of them wrong.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other pictures.")] = 0,
) -> None:
    """Draw controls for the built-in model's prompts, without the model (and without torch)."""
    from trainer.builtin.controls import draw_controls

    typer.echo(plural(draw_controls(read_settings(), count, seed), "new control"))


@controls.command("agreed")
def agreed_controls(
    count: Annotated[int, typer.Option(min=1, help="The most controls to make, half rejects and half keeps.")] = 60,
) -> None:
    """Make controls from pictures on which at least three raters agree, with no vote against."""
    from feedback.rate.controls import controls_from_agreed
    from store.existing import open_existing

    made = controls_from_agreed(open_existing(read_settings()), count, by="command line")
    typer.echo(f"{plural(made, 'new control')} from agreed pictures")


@controls.command("add")
def add_control(
    picture: Annotated[int, typer.Argument(help="The picture's number, as on the page Pool.")],
    answer: Annotated[str, typer.Argument(help="reject or keep")],
) -> None:
    """Make a control of one picture by hand."""
    from feedback.rate.controls import make_control
    from store.errors import BadRequest
    from store.existing import open_existing
    from store.tables import Verdict

    if answer not in ("reject", "keep"):
        raise BadRequest(f"the answer of a control is reject or keep; {answer[:40]!r} was given")
    made = make_control(open_existing(read_settings()), picture, Verdict(answer), by="command line")
    typer.echo(f"control {made} shows picture {picture}; the right answer is {answer}")


@controls.command("retire")
def retire_control(control: Annotated[int, typer.Argument(help="The control's number, as in the list.")]) -> None:
    """Take a control out of use: it is not shown again, and its answers no longer count."""
    from feedback.rate.controls import retire_controls
    from store.existing import open_existing

    retire_controls(open_existing(read_settings()), [control])
    typer.echo(f"control {control} is retired")


@controls.command("reuse")
def reuse_control(control: Annotated[int, typer.Argument(help="The control's number, as in the list.")]) -> None:
    """Show a retired control again; its answers count again."""
    from feedback.rate.controls import reuse_controls
    from store.existing import open_existing

    reuse_controls(open_existing(read_settings()), [control])
    typer.echo(f"control {control} is in use again")


@controls.command("list")
def list_controls() -> None:
    """Print the controls: number, answer, where it comes from, how many answers were right, prompt."""
    from feedback.rate.controls import control_rows
    from store.migrate import read_store

    for row in control_rows(read_store(read_settings())):
        state = "" if row.is_active else "  (retired)"
        typer.echo(
            f"{row.image_id:>7}  {row.answer:<6}  {row.source:<8}  {row.right} of {row.seen}  {row.prompt}{state}"
        )


if __name__ == "__main__":
    run_command(app)
