"""What became of each prompt: how many pictures were drawn from it, and how many of them were rejected."""

from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, case, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from feedback.pool.counts import IN_FIGURES
from feedback.pool.verdicts import is_judged, is_rejected
from feedback.sample.cut_prompts import first_missed
from feedback.sample.prompts import PromptState, state_of
from store.engine import reading
from store.tables import Image, ImageTally, Origin, Prompt
from store.texts import find_control


class PromptOrder(StrEnum):
    """Which prompts come first."""

    newest = "newest first"
    rejected = "most rejected first"


class PromptFilter(NamedTuple):
    """Which prompts: in this state (none: in any), with these words in them."""

    state: PromptState | None = PromptState.used
    words: str = ""
    order: PromptOrder = PromptOrder.newest


class PromptRow(NamedTuple):
    """A prompt; of its `drawn` pictures, `rejected` of the `judged` sampled ones are rejects."""

    id: int
    text: str
    state: PromptState
    weight: int
    source: str
    first_missed: str
    drawn: int
    judged: int
    rejected: int


class PromptPage(NamedTuple):
    """Some of the prompts that a filter finds, how many it finds, and how many there are in each state."""

    rows: list[PromptRow]
    found: int
    counts: dict[PromptState, int]


def prompt_page(engine: Engine, wanted: PromptFilter, page: int, size: int) -> PromptPage:
    """The prompts of one page."""
    with reading(engine) as session:
        those = _conditions(wanted)
        found = session.exec(select(func.count(col(Prompt.id))).where(*those)).one()
        chosen = select(Prompt).where(*those)
        if wanted.order is PromptOrder.rejected:
            pictures = _pictures().subquery()
            likely = (func.coalesce(pictures.c.rejected, 0) + 1.0) / (func.coalesce(pictures.c.judged, 0) + 2)
            chosen = chosen.outerjoin(pictures, pictures.c.prompt_id == Prompt.id).order_by(likely.desc())
        prompts = list(session.exec(chosen.order_by(col(Prompt.id).desc()).offset(page * size).limit(size)))
        of_these = _pictures(col(Image.prompt_id).in_([prompt.id for prompt in prompts]))
        figures = {id: (drawn, judged, rejected) for id, drawn, judged, rejected in session.exec(of_these)}
        rows = [_row(prompt, figures.get(prompt.id or 0, (0, 0, 0))) for prompt in prompts]
        return PromptPage(rows, found, _counts(session))


def _row(prompt: Prompt, figures: tuple[int, int, int]) -> PromptRow:
    state, missed = state_of(prompt), first_missed(prompt)
    return PromptRow(prompt.id or 0, prompt.text, state, prompt.weight, prompt.source, missed, *figures)


def _conditions(wanted: PromptFilter) -> list[ColumnElement[bool]]:
    those = []
    if wanted.state is not None:
        those.append(_state() == wanted.state.value)
    if wanted.words and not find_control(wanted.words):
        those.append(col(Prompt.text).icontains(wanted.words, autoescape=True))
    return those


def _state() -> ColumnElement[str]:
    """The same as `state_of`."""
    return case(
        (col(Prompt.is_removed), PromptState.removed.value),
        (col(Prompt.import_id).is_(None), PromptState.evaluated.value),
        (col(Prompt.is_active), PromptState.used.value),
        else_=PromptState.paused.value,
    )


def _counts(session: Session) -> dict[PromptState, int]:
    state = _state()
    counted = dict(session.exec(select(state, func.count(col(Prompt.id))).group_by(state)).all())
    return {one: counted.get(one.value, 0) for one in PromptState}


def _pictures(*those: ColumnElement[bool]) -> Select[int, int, int, int]:
    """By prompt: pictures drawn for rating, judged sampled ones, and rejects among those."""
    is_sampled = col(Image.origin) == Origin.sampled
    return (
        select(
            Image.prompt_id,
            func.count().label("drawn"),
            func.sum(case((is_sampled & is_judged(), 1), else_=0)).label("judged"),
            func.sum(case((is_sampled & is_rejected(), 1), else_=0)).label("rejected"),
        )
        .join(ImageTally, col(ImageTally.image_id) == Image.id, isouter=True)
        .where(col(Image.origin).in_(IN_FIGURES), *those)
        .group_by(col(Image.prompt_id))
    )
