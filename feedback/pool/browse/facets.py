"""How many pictures each choice of each filter leaves, the other filters as they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, case, func
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from feedback.pool.browse.gallery import Accord, Filter, Which, is_unanimous, narrowed, part, votes_of
from feedback.pool.counts import POOLED, count_outcomes
from store.engine import reading
from store.tables import CurrentVote, Image, Rater, Reason, VoteReason

MOST = 20_000
"""In a store with more judged pictures nothing is counted: it would hold up the page."""


class Facets(NamedTuple):
    """Pictures by choice, without the choices that leave none; None where there are too many pictures to count."""

    which: dict[Which, int]
    version: dict[int, int]
    reason: dict[Reason, int]
    rater: dict[str, int]
    accord: dict[Accord, int]


def facets(engine: Engine, wanted: Filter) -> Facets | None:
    """The counts, in one query for each filter."""
    with reading(engine) as session:
        voted = count_outcomes(session, *POOLED)
        if voted.judged + voted.disputed > MOST:
            return None
        return Facets(
            _sums(session, wanted._replace(which=Which.rejects), {which: part(which) for which in Which}),
            _by(session, wanted._replace(version=None), col(Image.version)),
            _by_reason(session, wanted._replace(reason=None)),
            _by_rater(session, wanted._replace(rater="")),
            _sums(
                session,
                wanted._replace(accord=Accord.any),
                {Accord.unanimous: is_unanimous(), Accord.divided: ~is_unanimous()},
                part(wanted.which),
            ),
        )


def _sums(session: Session, wanted: Filter, cases: dict[Any, ColumnElement[bool]], *where: Any) -> dict[Any, int]:
    columns = [func.coalesce(func.sum(case((is_so, 1), else_=0)), 0) for is_so in cases.values()]
    row = session.execute(narrowed(session, sa_select(*columns).select_from(Image), wanted).where(*where)).one()
    return {choice: count for choice, count in zip(cases, row, strict=True) if count}


def _by(session: Session, wanted: Filter, column: Any) -> dict[Any, int]:
    rows = narrowed(session, sa_select(column, func.count()).select_from(Image), wanted).where(part(wanted.which))
    return _counts(session.execute(rows.group_by(column).order_by(column)).all())


def _by_reason(session: Session, wanted: Filter) -> dict[Any, int]:
    rows = _votes(session, wanted, col(VoteReason.reason), func.count(col(Image.id).distinct()))
    return _counts(session.execute(rows).all())


def _by_rater(session: Session, wanted: Filter) -> dict[Any, int]:
    giver = aliased(Rater)  # the conditions look at `Rater` too
    rows = _votes(session, wanted, col(giver.name), func.count())
    return _counts(session.execute(rows.join(giver, col(giver.id) == CurrentVote.rater_id)).all())


def _votes(session: Session, wanted: Filter, column: Any, count: Any) -> Select:
    """Pictures by what is said of the votes that pass the filter."""
    of_pictures = wanted._replace(reason=None, rater="", since=None, until=None)
    rows = narrowed(session, sa_select(column, count).select_from(Image), of_pictures)
    rows = rows.join(CurrentVote, col(CurrentVote.image_id) == Image.id).where(part(wanted.which), *votes_of(wanted))
    if wanted.reason is not None or column is col(VoteReason.reason):
        rows = rows.join(VoteReason, col(VoteReason.vote_id) == CurrentVote.vote_id)
    return rows.group_by(column).order_by(column)


def _counts(rows: Sequence[Any]) -> dict[Any, int]:
    return {choice: count for choice, count in rows}
