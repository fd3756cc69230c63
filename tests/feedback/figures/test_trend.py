"""Rejects over the votes, against a plain replay of the key presses."""

from collections.abc import Callable

from sqlalchemy import Engine

from feedback.figures.trend import Window, windows
from feedback.pool.tally import rebuild
from feedback.rate.raters import rater_id
from feedback.statistics import Fraction
from store.engine import writing
from store.tables import Origin, Rater, Reason, Verdict, Vote, VoteReason

REJECT, KEEP = Verdict.reject, Verdict.keep


def test_a_point_counts_votes_in_a_row_on_one_version_that_still_hold(
    any_engine: Engine, fill: Callable, publish_version: Callable
) -> None:
    publish_version(any_engine, 1)
    of_version = {version: fill(any_engine, images=121, version=version) for version in (0, 1)}
    [other] = fill(any_engine, images=1, origin=Origin.evaluation)
    given = [(n, version, n % (3 + version) == 0) for n in range(120) for version in (0, 1)[: 1 + n % 2]]
    presses = [
        (1, other, REJECT),
        *((1, of_version[version][n], REJECT if is_reject else KEEP) for n, version, is_reject in given),
        (1, of_version[0][120], KEEP),
        (1, of_version[0][120], Verdict.undo),
        (2, of_version[1][0], REJECT),
    ]
    with writing(any_engine) as session:
        assert [rater_id(session, name) for name in ("ann", "bob")] == [1, 2]
        session.get_one(Rater, 2).is_excluded = True
        for n, (rater, image, verdict) in enumerate(presses):
            session.add(Vote(id=n + 1, request_id=f"{n}", rater_id=rater, image_id=image, verdict=verdict))
        session.flush()
        hands = [n + 1 for n, press in enumerate(presses) if press[2] is REJECT and n % 2]
        session.add_all(VoteReason(vote_id=vote, reason=Reason.hands) for vote in hands)
        rebuild(session)

    wanted = []
    for version in (0, 1):
        own = [(place, is_reject) for place, (_, of, is_reject) in enumerate(given) if of == version]
        parts = [own[:50], own[50:]] if version == 0 else [own]  # 20 and 10 are fewer than half of 50
        wanted += [
            Window(version, part[0][0], part[-1][0] + 1, Fraction(sum(is_so for _, is_so in part), len(part)))
            for part in parts
        ]
    assert windows(any_engine) == wanted
    named = windows(any_engine, Reason.hands)
    assert [window.rejects.whole for window in named] == [window.rejects.whole for window in wanted]
    assert sum(window.rejects.part for window in named) == sum(0 <= vote - 2 < len(given) for vote in hands)
    assert sum(window.rejects.part for window in windows(any_engine, Reason.text)) == 0


def test_nothing_is_shown_before_the_first_vote(engine: Engine) -> None:
    assert windows(engine) == []
