"""Controls: pictures whose answer is known, mixed into the queue to measure raters. They train and rate nothing."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from feedback.pool.counts import POOLED
from feedback.pool.verdicts import RULED, select_taken_out
from feedback.sample.work import Drawing
from store.engine import reading, writing
from store.errors import BadRequest, UnknownImage
from store.files import sha256_of
from store.tables import Control, CurrentVote, Image, ImageTally, Origin, Prompt, Verdict

ANSWERS = (Verdict.reject, Verdict.keep)
AGREED = 3
"""A picture becomes a control only when at least this many raters judged it and all agree."""
NEWEST = 20_000
"""Pictures, newest first, among which candidates are looked for."""
Twin = aliased(Image)


class DrawnControl(NamedTuple):
    """A picture drawn for a control: its prompt, seed, the hash of its PNG, and the answer."""

    prompt_id: int
    seed: int
    sha256: str
    answer: Verdict


class Candidate(NamedTuple):
    """A judged picture that could be a control; `votes` raters gave the answer, and none the other."""

    image_id: int
    sha256: str
    width: int
    prompt: str
    votes: int


class ControlRow(NamedTuple):
    """A control as the page shows it; of `seen` raters' answers, `right` were right."""

    image_id: int
    sha256: str
    width: int
    prompt: str
    answer: Verdict
    source: str
    is_active: bool
    seen: int
    right: int


def make_control(engine: Engine, image_id: int, answer: Verdict, *, by: str, source: str = "by hand") -> int:
    """The id of a new control: a copy of a picture, so that its votes stay what they are. The picture leaves the queue.

    Raises UnknownImage, or BadRequest when its picture is a control already or the answer is neither reject nor keep.
    """
    [made] = make_controls(engine, [image_id], answer, by=by, source=source)
    return made


def make_controls(
    engine: Engine, image_ids: Sequence[int], answer: Verdict, *, by: str, source: str = "by hand"
) -> list[int]:
    """`make_control` of several pictures, all or none."""
    if answer not in ANSWERS:
        raise BadRequest(f"the answer of a control is reject or keep; {answer.value} was given")
    with writing(engine) as session:
        return [_copy(session, _not_yet_control(session, one), answer, by, source) for one in dict.fromkeys(image_ids)]


def control_candidates(engine: Engine, answer: Verdict, limit: int) -> list[Candidate]:
    """Judged pictures that could be controls with that answer: no vote against it, those with most votes first.

    Only the NEWEST pictures are looked at, so that a large store answers as fast as a small one.
    """
    oldest = select(func.max(ImageTally.image_id) - NEWEST).scalar_subquery()
    with reading(engine) as session:
        found = _agreed(answer, 1).add_columns(col(Prompt.text)).join(Prompt, col(Prompt.id) == Image.prompt_id)
        found = found.where(col(ImageTally.image_id) > oldest)
        return [
            Candidate(image.id or 0, image.sha256, image.width, prompt, votes)
            for image, votes, prompt in session.execute(found.limit(limit))
        ]


def controls_from_agreed(engine: Engine, count: int, *, by: str) -> int:
    """How many controls were made: up to `count`, half rejects and half keeps, from sampled pictures on which at least
    AGREED raters agree without exception."""
    made = 0
    with writing(engine) as session:
        for answer, share in zip(ANSWERS, (count // 2, count - count // 2), strict=True):
            for image, _ in session.exec(_agreed(answer, AGREED).limit(share)):
                _copy(session, image, answer, by, "agreed")
                made += 1
    return made


def record_drawn_controls(engine: Engine, drawn: Sequence[DrawnControl], drawing: Drawing, *, by: str) -> int:
    """How many drawn pictures became controls; pictures that are controls already are left out."""
    made = 0
    with writing(engine) as session:
        known = set(session.exec(select(Image.sha256).where(Image.origin == Origin.control)))
        for one in drawn:
            if one.sha256 in known:
                continue
            known.add(one.sha256)
            image = Image(prompt_id=one.prompt_id, seed=one.seed, sha256=one.sha256, version=0, **vars(drawing))
            _add(session, image, one.answer, by, "drawn")
            made += 1
    return made


def retire_controls(engine: Engine, image_ids: Sequence[int]) -> None:
    """Shows these controls to nobody any more, all or none; their answers are kept but no longer count."""
    _switch(engine, image_ids, is_active=False)


def reuse_controls(engine: Engine, image_ids: Sequence[int]) -> None:
    """Shows retired controls again, all or none; their answers count again."""
    _switch(engine, image_ids, is_active=True)


def _switch(engine: Engine, image_ids: Sequence[int], *, is_active: bool) -> None:
    with writing(engine) as session:
        for number in dict.fromkeys(image_ids):
            control = session.get(Control, number)
            if control is None or control.is_active is is_active:
                what = "a retired control" if is_active else "a control in use"
                raise BadRequest(f"picture {number} is not {what}; nothing was changed")
            control.is_active = is_active
            session.add(control)


def control_rows(engine: Engine) -> list[ControlRow]:
    """Every control, newest first."""
    with reading(engine) as session:
        seen: Counter[int] = Counter()
        right: Counter[int] = Counter()
        for _, image_id, is_right in control_answers(session):
            seen[image_id] += 1
            right[image_id] += is_right
        rows = session.exec(
            select(Control, Image.sha256, Image.width, Prompt.text)
            .join(Image, col(Image.id) == Control.image_id)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .order_by(col(Control.image_id).desc())
        )
        return [
            ControlRow(
                c.image_id, sha256, width, prompt, c.answer, c.source, c.is_active, seen[c.image_id], right[c.image_id]
            )
            for c, sha256, width, prompt in rows
        ]


def control_answers(session: Session) -> list[tuple[int, int, bool]]:
    """The current vote of each rater on each control in use: (rater, picture, is it right), oldest first."""
    rows = session.exec(
        select(CurrentVote.rater_id, CurrentVote.image_id, CurrentVote.verdict, Control.answer)
        .join(Control, col(Control.image_id) == CurrentVote.image_id)
        .where(col(Control.is_active), col(CurrentVote.verdict).in_(ANSWERS))
        .order_by(col(CurrentVote.vote_id))
    )
    return [(rater, image, verdict == answer) for rater, image, verdict, answer in rows]


def _not_yet_control(session: Session, image_id: int) -> Image:
    image = session.get(Image, image_id)
    if image is None:
        raise UnknownImage(f"there is no picture {image_id}; the page Pool shows the numbers")
    if session.exec(select(Image.id).where(Image.sha256 == image.sha256, Image.origin == Origin.control)).first():
        raise BadRequest(f"picture {image_id} is a control already; nothing was changed")
    return image


def _agreed(answer: Verdict, least: int) -> Select[Image, int]:
    """Pictures on which at least `least` votes give this answer and none the other, most votes first."""
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    yes, no = (rejects, keeps) if answer is Verdict.reject else (keeps, rejects)
    is_control = select(Twin.id).where(Twin.sha256 == Image.sha256, Twin.origin == Origin.control).exists()
    return (
        select(Image, yes)
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .where(
            col(Image.origin).in_(POOLED),
            yes >= least,
            no == 0,
            func.coalesce(RULED, answer) == answer,
            ~is_control,
            col(Image.id).not_in(select_taken_out()),
        )
        .order_by(yes.desc(), col(Image.shuffle))
    )


def _copy(session: Session, image: Image, answer: Verdict, by: str, source: str) -> int:
    image.is_queued = False
    session.add(image)
    own = {"id", "number", "work_key", "shuffle", "origin", "is_queued", "overlap", "created_at"}
    return _add(session, Image(**image.model_dump(exclude=own)), answer, by, source)


def _add(session: Session, image: Image, answer: Verdict, by: str, source: str) -> int:
    image.work_key = sha256_of(f"control {image.sha256}".encode())
    image.origin, image.is_queued = Origin.control, False
    session.add(image)
    session.flush()
    assert image.id is not None
    session.add(Control(image_id=image.id, answer=answer, source=source, by=by))
    return image.id
