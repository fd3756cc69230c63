"""Draws prompts into a folder with the champion and its check; a second call goes on where the first one ended."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from sqlmodel import Session
from tqdm import tqdm

from feedback.sample.cut_prompts import cut_sentence, first_missed
from feedback.sample.prompts import clean_prompt, read_prompt_file
from feedback.sample.tries import Redraw, best_of, cut_of, redraw_of, tries_allowed, why_once
from feedback.sample.work import Job
from feedback.succession import PLAIN, alias_target
from feedback.versions import require_version
from store.archive.work import work_folder
from store.engine import reading
from store.errors import BadRequest, Stopped
from store.files import fsync_folder, make_folder, write_file
from store.layout import layout_of
from store.migrate import read_store
from store.phrases import plural
from store.process import catch_stop_signals
from store.settings import Settings
from store.tables import AliasName, Prompt, Version
from store.texts import with_single_spaces
from trainer.base.hashing.remembered import file_hash
from trainer.base.model import Base, compare_base, silence_libraries
from trainer.base.tokenizers import counter_of
from trainer.base.weights import pin_revision
from trainer.card.loading import settle
from trainer.card.turn import loaded_in_turn
from trainer.draw.metadata import Maker, is_sound, write_picture
from trainer.sample.preview import DrawStep
from trainer.sample.sampler import Drawn, OnStep
from trainer.sample.speed.storing import Storing
from trainer.sample.tries import CheckedSampler

SEEDS = 2**53
BAR = "{l_bar}{bar}| {n:.0f} of {total} pictures [{elapsed}, {remaining} left{postfix}]"
AUTOV2 = 10
"""Digits of a file's SHA-256 that A1111 calls the model hash."""


@dataclass(frozen=True)
class Order:
    """What is asked for: `number` pictures of each prompt, from `seed` on, into the folder `out`.

    `version` is None for the champion, `tries` for the setting. With `best_of`, so many drawings of every picture.
    """

    prompts: Sequence[str]
    out: Path
    number: int = 1
    seed: int = 0
    version: int | None = None
    tries: int | None = None
    best_of: int | None = None

    @property
    def jobs(self) -> list[Job]:
        return [Job(prompt, self.seed + n) for prompt in self.prompts for n in range(self.number)]


class Report(NamedTuple):
    """How many pictures were drawn, how many of them are not the first try, and how many were there before."""

    drawn: int
    redrawn: int
    there: int


def gather_prompts(texts: Iterable[str], file: Path | None) -> list[str]:
    """The prompts of the arguments and of a list, each once. Raises BadRequest for none, or one that is none."""
    found = [clean_prompt(text) for text in texts]
    found += [one.text for one in read_prompt_file(file)] if file else []
    if not found:
        raise BadRequest("there is nothing to draw; give prompts in quotes, or a list with --prompts FILE")
    each: dict[str, str] = {}
    for text in found:
        each.setdefault(with_single_spaces(text), text)
    return list(each.values())


def report_words(report: Report, out: Path) -> str:
    """What came of it, in a sentence.

    >>> report_words(Report(5, 1, 0), Path("drawn")), report_words(Report(1, 0, 2), Path("drawn"))
    ('drew 5 pictures into drawn; of 1 a later try was kept', 'drew 1 picture into drawn; 2 were there')
    """
    parts = [f"drew {plural(report.drawn, 'picture')} into {out}"]
    parts += [f"of {report.redrawn} a later try was kept"] if report.redrawn else []
    parts += [f"{report.there} {'was' if report.there == 1 else 'were'} there"] if report.there else []
    return "; ".join(parts)


def draw(settings: Settings, order: Order, say: Callable[[str], None]) -> Report:
    """Draws what is not in the folder yet; the store is only read. `say` gets what a person should know.

    Raises BadRequest, UnknownVersion, OtherBase, DamagedVersion or ModelError.
    """
    _refuse_misfits(order)
    engine = read_store(settings)
    with reading(engine) as session:
        plain, version = session.get(Version, PLAIN), _version_of(session, order.version)
    make_folder(order.out)
    say("loading the model")
    silence_libraries()
    own = partial(settle, engine, layout_of(settings), settings, say)
    with loaded_in_turn(pin_revision(engine, settings), "`naysayer draw`", own) as base:
        compare_base(plain, base)
        return _draw_with(base, version, order, say)


def _draw_with(base: Base, version: Version | None, order: Order, say: Callable[[str], None]) -> Report:
    settings = base.settings
    _tell_cut(base, order.prompts, say)
    version = version or Version(number=PLAIN, base_model=base.name, base_sha256=base.sha256)
    if (why := why_once(version)) and (order.tries or order.best_of or tries_allowed(settings)):
        say(why)
    sampler = CheckedSampler(base, layout_of(settings))
    redraw = _redraw(settings, order, version)
    drawing = sampler.drawing_of(version, redraw)
    scheduler = drawing.conditions.scheduler or ""
    maker = Maker(version, drawing, redraw, scheduler, _model_hash(base))
    return _draw_missing(sampler, maker, order)


def _refuse_misfits(order: Order) -> None:
    if order.tries and order.best_of:
        raise BadRequest("--tries draws again only what the check would redraw, --best-of everything; give one of them")
    if order.seed + order.number > SEEDS:
        raise BadRequest(f"the seeds {order.seed} and on are too large; give a --seed below 2^53")


def _version_of(session: Session, number: int | None) -> Version | None:
    """The version with this number, or the champion; None in a store that has none yet. Raises UnknownVersion."""
    if number is None:
        number = alias_target(session, AliasName.champion)
    return None if number is None else require_version(session, number)


def _redraw(settings: Settings, order: Order, version: Version) -> Redraw | None:
    if cut_of(version) is None:
        return None
    if order.best_of:
        return best_of(order.best_of)
    asked = settings if order.tries is None else settings.model_copy(update={"tries": order.tries})
    return redraw_of(version, tries_allowed(asked))


def _model_hash(base: Base) -> str:
    """Of a single file A1111's, which model sites know; else the beginning of the base's identity."""
    file = base.sources.base
    return (file_hash(file) if file.is_file() else base.sha256)[:AUTOV2]


def _tell_cut(base: Base, prompts: Sequence[str], say: Callable[[str], None]) -> None:
    read = counter_of(base) or len
    rows = [Prompt(text=text, read_characters=read(text)) for text in prompts]
    if cut := cut_sentence([row for row in rows if first_missed(row)]):
        say(cut)


def _draw_missing(sampler: CheckedSampler, maker: Maker, order: Order) -> Report:
    """Draws what the folder lacks, batch by batch; a file appears in it only when it is whole."""
    missing = [job for job in order.jobs if not is_sound(order.out / maker.file_name(job), maker, job)]
    there, redrawn, batch = len(order.jobs) - len(missing), 0, sampler.base.settings.sample_batch
    with work_folder(order.out) as folder, Progress(len(missing)) as progress, Storing() as storing:
        for start in range(0, len(missing), batch):
            jobs = missing[start : start + batch]
            rows, most = min(len(jobs), sampler.most or len(jobs)), maker.redraw.most if maker.redraw else 1
            on_step = progress.step_of(start, rows, most)
            drawn = sampler.draw(maker.version, jobs, on_step, maker.redraw)
            redrawn += sum(one.tries.kept > 1 for one in drawn)
            storing.start(partial(_write, folder, order.out, maker, list(zip(jobs, drawn, strict=True))))
            progress.move_to(start + len(jobs))
    return Report(len(missing), redrawn, there)


def _write(folder: Path, out: Path, maker: Maker, drawn: Sequence[tuple[Job, Drawn]]) -> int:
    """How many pictures are in the folder `out` now; each comes into it whole, from `folder`."""
    for job, one in drawn:
        name = maker.file_name(job)
        write_file(folder / name, write_picture(one.picture, maker, job, one.tries))
        (folder / name).replace(out / name)
    fsync_folder(out)
    return len(drawn)


class Progress:
    """A bar with an estimate, which moves with every step; a signal that asks to stop is heard at the next one."""

    def __init__(self, pictures: int) -> None:
        self.pictures, self.held = pictures, ExitStack()

    def __enter__(self) -> Self:
        self.stop = self.held.enter_context(catch_stop_signals())
        bar = tqdm(total=self.pictures, bar_format=BAR, disable=not self.pictures, mininterval=0.5)
        self.bar = self.held.enter_context(bar)
        return self

    def __exit__(self, *error: object) -> None:
        self.held.close()

    def move_to(self, done: float) -> None:
        """So many pictures are drawn."""
        self.bar.update(done - self.bar.n)

    def step_of(self, before: int, rows: int, most: int) -> OnStep:
        """What is called after each step of a batch: `rows` pictures at once after `before` others, in `most` tries."""

        def on_step(now: DrawStep) -> None:
            if self.stop.is_set():
                raise Stopped(before, self.pictures)
            again = f", try {now.number}" if now.number > 1 else ""
            self.bar.set_postfix_str(f"step {now.step} of {now.steps}{again}", refresh=False)
            share = (now.number - 1 + now.step / now.steps) / most
            self.move_to(max(self.bar.n, before + rows * share))

        return on_step
