"""Writes votes that came in a file, each at most once, and never over a later vote of the same rater."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import ValidationError
from sqlmodel import Session, col, select

from feedback.exchange.incoming.pictures import Names
from feedback.exchange.incoming.said import Said
from feedback.pool.counting import NewVote, before_vote, changes_of, write_changes
from feedback.rate.raters import find_rater, rater_of
from feedback.rate.votes import IMPORTED, Point, Press, write_press
from store.errors import BadRequest
from store.files import sha256_of
from store.tables import CurrentVote, Origin, Rater, Vote, utc_now

OTHER_NAME = "it is here already, under another name of its rater"
USED = "its request id belongs to another vote"
LATER = "the rater has voted on the picture since"
NOT_POOLED = "an evaluation picture or a control takes no vote from a file"
BAD_RATER = "the rater's name cannot be one"
MALFORMED = "it is malformed"


class Recorder:
    """Records the votes of one file. `overlap` is NAYSAYER_OVERLAP: with so many votes a picture leaves the queue."""

    def __init__(self, overlap: int, now: Callable[[], datetime] = utc_now) -> None:
        self.overlap, self.now, self.names = overlap, now, Names()
        self.recorded = self.known = 0
        self.raters: set[int] = set()
        self.images: set[int] = set()
        self._known: dict[str, Rater] = {}
        self._of_this_file: set[tuple[int, int]] = set()

    def record(self, session: Session, said: Said, image_id: int) -> str:
        """Empty once the vote is in the store, else why it is not; for use inside a `writing` block.

        A rater whom the store does not know is made with the first vote.
        """
        try:
            press = _press(said, image_id)
            known = self._known.get(said.rater) or find_rater(session, said.rater)
            rater = known or rater_of(session, said.rater)
        except BadRequest:
            return BAD_RATER
        except ValidationError:
            return MALFORMED
        assert rater.id is not None
        why = self._record(session, said, press, rater.id)
        if not why:
            self._known[said.rater] = rater
        elif not known:
            session.delete(rater)
            session.flush()
        return why

    def _record(self, session: Session, said: Said, press: Press, rater: int) -> str:
        image_id = press.image_id
        before = before_vote(session, rater, image_id, press.request_id)
        if before.known_rater is not None:
            if (before.known_image, before.known_verdict) != (image_id, press.verdict):
                return USED
            if before.known_rater != rater:
                return OTHER_NAME
            self.known += 1
            self._of_this_file.add((rater, image_id))
            return ""
        if before.origin in (Origin.evaluation, Origin.control):
            return NOT_POOLED
        if before.verdict is not None and self._is_later(session, rater, image_id, said):
            return LATER
        received = said.at or self.now()
        vote = NewVote(image_id, rater, press.verdict, write_press(session, rater, press, received), received.date())
        write_changes(session, changes_of(before, vote, self.overlap))
        self.recorded += 1
        self.raters.add(rater)
        self.images.add(image_id)
        self._of_this_file.add((rater, image_id))
        return ""

    def _is_later(self, session: Session, rater: int, image_id: int, said: Said) -> bool:
        """Whether the rater's vote in the store is the later one; without a time, every vote from elsewhere is."""
        if said.at is None:
            return (rater, image_id) not in self._of_this_file
        current = select(Vote.received_at).join(CurrentVote, col(CurrentVote.vote_id) == Vote.id)
        given = session.exec(current.where(CurrentVote.rater_id == rater, CurrentVote.image_id == image_id)).one()
        return (given if given.tzinfo else given.replace(tzinfo=UTC)) > said.at


def _press(said: Said, image_id: int) -> Press:
    return Press(
        said.request_id or _request_id(said),
        image_id,
        said.verdict,
        IMPORTED,
        said.shown_at,
        said.decided_at,
        said.reasons,
        tuple(Point(x, y) for x, y in said.marks),
    )


def _request_id(said: Said) -> str:
    """The same for the same vote, so that a file that comes again brings nothing new."""
    own = said._replace(line=0, reasons=frozenset(), marks=())
    told = [*map(str, own), *sorted(said.reasons), *said.marks]
    return f"import-{sha256_of(json.dumps(told).encode())[:40]}"
