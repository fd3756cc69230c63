"""What is wrong with a version's pictures: the reasons that raters name, and what changed from version to version.

A picture counts for a reason when it is a reject and a rater who rejected it names that reason: once, however many name
it, as in the pool. The share is of the judged sampled pictures, like the rate of rejects, of which it is a part.
"""

from collections.abc import Iterable
from enum import StrEnum
from statistics import NormalDist
from typing import NamedTuple

from sqlalchemy import Engine, case, func, select, union_all
from sqlmodel import col

from feedback.pool.verdicts import is_counted, is_judged, is_rejected
from feedback.statistics import ALPHA, Fraction, Interval, rate_difference
from store.engine import reading
from store.tables import CurrentVote, Image, ImageTally, Origin, Reason, Verdict, VoteReason

NEWEST = 5_000
"""Of each version the newest sampled pictures are counted, this many: enough to tell, and soon counted."""


class Likely(StrEnum):
    """What the interval of a change says."""

    fewer = "likely fewer"
    more = "likely more"
    unknown = "not known yet"


class Named(NamedTuple):
    """Of one version's `judged` sampled pictures, `rejected` are rejects, `explained` of them with a reason."""

    version: int
    judged: int = 0
    rejected: int = 0
    explained: int = 0
    reasons: tuple[int, ...] = (0,) * len(Reason)

    def share(self, reason: Reason) -> Fraction:
        """The pictures that are rejected for this reason, among the judged ones."""
        return Fraction(self.reasons[list(Reason).index(reason)], self.judged)


class Change(NamedTuple):
    """One reason in a newer and an older version; `interval` is of the change of its share.

    The intervals of all reasons together hold with 95 %.
    """

    reason: Reason
    new: Fraction
    old: Fraction
    interval: Interval

    @property
    def likely(self) -> Likely:
        """Whether the change is beyond chance. "Likely", because people look again with every vote."""
        if self.interval.high < 0:
            return Likely.fewer
        return Likely.more if self.interval.low > 0 else Likely.unknown


def changes(new: Named, old: Named) -> list[Change]:
    """Every reason that is named for one of the two versions, the newer one's most frequent first.

    >>> new, old = Named(1, 400, 20, 20, (20, *[0] * 8)), Named(0, 400, 90, 90, (90, *[0] * 8))
    >>> [(change.reason.value, change.likely.value) for change in changes(new, old)]
    [('hands', 'likely fewer')]
    """
    named = [reason for reason in Reason if new.share(reason).part + old.share(reason).part]
    z = NormalDist().inv_cdf(1 - ALPHA / 2 / max(1, len(named)))  # Bonferroni
    found = [
        Change(reason, new.share(reason), old.share(reason), rate_difference(new.share(reason), old.share(reason), z))
        for reason in named
    ]
    return sorted(found, key=lambda one: (-one.new.part, -one.old.part))


def is_named_alike(new: Named, old: Named) -> bool:
    """Whether raters name a reason for the rejects of both versions about as often; else shares do not compare."""
    low, high = rate_difference(Fraction(new.explained, new.rejected), Fraction(old.explained, old.rejected))
    return low <= 0 <= high


def count_reasons(engine: Engine, versions: Iterable[int], origin: Origin = Origin.sampled) -> dict[int, Named]:
    """The counts of each of these versions, in one query; of its pictures of another `origin` where one is named."""
    wanted = list(dict.fromkeys(versions))
    if not wanted:
        return {}
    of_each = (
        select(
            select(col(Image.id).label("id"), col(Image.version).label("version"))
            .where(col(Image.version) == version, col(Image.origin) == origin)
            .order_by(col(Image.id).desc())
            .limit(NEWEST)
            .subquery()
        )
        for version in wanted
    )
    picture = union_all(*of_each).subquery()
    says_why = (
        (col(CurrentVote.image_id) == picture.c.id)
        & is_rejected()
        & (col(CurrentVote.verdict) == Verdict.reject)
        & is_counted(CurrentVote.rater_id)
    )
    reason = col(VoteReason.reason)
    conditions = (is_rejected(), reason.is_not(None), *(reason == one for one in Reason))
    counted = (
        select(
            picture.c.version,
            func.count(picture.c.id.distinct()),
            *(func.count(case((is_so, picture.c.id)).distinct()) for is_so in conditions),
        )
        .join(ImageTally, col(ImageTally.image_id) == picture.c.id)
        .join(CurrentVote, says_why, isouter=True)
        .join(VoteReason, col(VoteReason.vote_id) == CurrentVote.vote_id, isouter=True)
        .where(is_judged())
        .group_by(picture.c.version)
    )
    with reading(engine) as session:
        rows = session.execute(counted).all()
    found = {
        version: Named(version, judged, rejected, explained, tuple(reasons))
        for version, judged, rejected, explained, *reasons in rows
    }
    return {version: found.get(version, Named(version)) for version in wanted}
