"""Which pictures a rater sees next: open to that rater, blind to the version, reserved for a while.

The order is shuffled differently for each rater. Controls (answer known), repeats (judged by the same rater before) and
pictures whose vote looks like a slip are mixed in, and nothing that a rater receives tells them apart, but for the
pixels: who remembers a picture knows a repeat. So a repeat comes under another public number and another address, and
in a place that tells nothing.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, func, insert, update
from sqlmodel import Session, col, select

from feedback.pool.damage import is_lasting, set_aside
from feedback.rate import queue_sql as candidates
from feedback.rate.display import shown_bytes
from feedback.rate.raters import find_rater, rater_of
from feedback.rate.terms import Mix, Terms
from feedback.rate.worth import worths
from feedback.reservations import latest_end
from store.engine import reading, writing
from store.errors import DamagedStore, NotAllowed
from store.layout import Layout
from store.tables import Image, ImageTally, Lease, Repeat, Vote, public_number, utc_now

PLACES = 2**31
"""Pictures have the places 0 to PLACES - 1 in the shuffled queue."""
NEAR, FAR = 256, 5000
"""How many queued pictures are read at the second try and at the last, so that a long queue is never read whole."""
REPEAT_AFTER, REPEAT_REACH = 30, 40
"""A repeat was judged at least REPEAT_AFTER of the rater's pictures ago, at most 2 REPEAT_AFTER + REPEAT_REACH."""
ACTIVE = timedelta(days=7)
"""Who voted in this time rates still, so that votes which look like slips wait for them."""
PROTECTED, CROWD, TAKEN_OVER = 12, 8, 4
"""Who would get nothing gets TAKEN_OVER pictures that others hold beyond the first PROTECTED of each, or any of theirs
where more than CROWD raters hold pictures: neither hoarding nor invented names leave a rater without work."""


class Shown(NamedTuple):
    """A picture for a rater, who may know all of it but `image_id`, the row: the rater knows the public number."""

    image_id: int
    number: int
    sha256: str
    prompt: str
    width: int
    height: int
    read_characters: int | None

    @property
    def unread(self) -> str:
        """The end of the prompt that the model did not read; empty when it read all."""
        rest = self.prompt[self.read_characters :] if self.read_characters is not None else ""
        return rest if rest.strip() else ""

    @property
    def read(self) -> str:
        """The prompt as far as the model read it."""
        return self.prompt.removesuffix(self.unread)


def next_images(
    engine: Engine, rater: str, terms: Terms, *, count: int, now: datetime | None = None, has_none: bool = False
) -> list[Shown]:
    """Up to `count` pictures for this rater, reserved from now on; those reserved before come first.

    A picture goes to at most as many raters as the terms say (or to its own number), and never again to one who has
    judged or skipped it, except as a repeat. Raises NotAllowed for a paused rater.

    With `has_none` the rater has no picture, and often there is none. That is found out without the writer's turn, so
    that many raters who wait do not keep workers from storing what they wait for.
    """
    now = now or utc_now()
    if has_none and not _finds_any(engine, rater, terms, now):
        return []
    with writing(engine, is_durable=False) as session:
        row = rater_of(session, rater)
        if row.is_paused:
            raise NotAllowed(f"{row.name} is paused and gets no pictures; ask an admin to resume, votes given are kept")
        assert row.id is not None
        picker = _Picker(session, row.id, terms, now)
        reserved = picker.find_reserved(count)
        fresh = picker.find_fresh(count - len(reserved), reserved, terms.ask_share)
        # A vote that does not count would settle nothing.
        mix = terms.mix._replace(looks=0.0) if row.is_excluded else terms.mix
        chosen = (reserved + picker.mix_in(fresh, mix))[:count]
        picker.reserve(chosen, now + timedelta(seconds=terms.lease_s), len(reserved))
        return chosen


def _finds_any(engine: Engine, rater: str, terms: Terms, now: datetime) -> bool:
    """Whether a picture is there for this rater; True also where only a writer can tell."""
    with reading(engine) as session:
        row = find_rater(session, rater)
        if row is None or row.id is None or row.is_paused:
            return True
        picker = _Picker(session, row.id, terms, now)
        return bool(picker.find_reserved(1) or picker.find_fresh(1, [], terms.ask_share))


def next_sound(engine: Engine, layout: Layout, rater: str, terms: Terms) -> Shown | None:
    """The next picture for this rater whose file is as it was stored; the others are set aside."""
    while shown := next_images(engine, rater, terms, count=1):
        try:
            shown_bytes(layout, shown[0].sha256)
        except DamagedStore as error:
            if not layout.blobs.is_there() or not is_lasting(error):
                raise
            set_aside(engine, shown[0].sha256)
        else:
            return shown[0]
    return None


def settle_all(session: Session, *images: Any, overlap: int) -> None:
    """Puts the pictures that meet the conditions into the queue, or takes them out, by their current votes.

    No control may be among them. The same rule as for one vote (`feedback.pool.counting`), inside a `writing` block.
    """
    rejects, keeps = (
        func.coalesce(select(column).where(ImageTally.image_id == Image.id).scalar_subquery(), 0)
        for column in (ImageTally.rejects, ImageTally.keeps)
    )
    session.exec(
        update(Image)
        .where(*images)
        .values(is_queued=rejects + keeps < func.coalesce(Image.overlap, overlap))
        .execution_options(synchronize_session=False)
    )


class _Picker:
    """The queries of one rater at one instant. A class, because all of them need the same values."""

    def __init__(self, session: Session, me: int, terms: Terms, now: datetime) -> None:
        self.session, self.me = session, me
        self.values: dict[str, Any] = {
            "me": me,
            "overlap": terms.overlap,
            "now": now,
            "latest": latest_end(now, terms.lease_s),
        }
        self.since = now.date() - ACTIVE
        newest = session.exec(select(func.max(Vote.id)).where(Vote.rater_id == me)).one()
        # The same state gives the same answer; the next vote, or another rater, gives another.
        self.chance = random.Random(f"{me} {newest}")
        self.repeated: dict[int, Repeat] = {}

    def find_reserved(self, count: int) -> list[Shown]:
        """The pictures that are reserved for this rater already, in the order of their reservation."""
        return self._run(candidates.reserved_images(), count=count)

    def find_fresh(self, count: int, reserved: Sequence[Shown], ask_share: float) -> list[Shown]:
        """Pictures that are open to this rater and not reserved yet, in a different order for each rater.

        Where others hold all of them, a few that they do not need soon.
        """
        held = [image.image_id for image in reserved]
        if ask_share and count > 0:
            found = self._find_mixed(count, held, ask_share)
        else:
            found = self._find_open(count, held, (count + 8, NEAR, FAR))
        return found if found or held or not count else self._take_over(min(count, TAKEN_OVER))

    def _find_mixed(self, count: int, held: Sequence[int], ask_share: float) -> list[Shown]:
        """Pictures at random, and those whose vote teaches most, in places that tell nothing.

        Which of the random ones a rater gets never depends on what they show, so that rates stay those of a sample.
        """
        asked = self._find_asked(held)
        wanted = sum(self.chance.random() < ask_share for _ in range(count))
        found = self._find_open(count - min(wanted, len(asked)), held, (count + 8, NEAR, FAR), is_at_random=True)
        found += asked[: count - len(found)]
        return self.chance.sample(found, len(found))

    def _find_asked(self, held: Sequence[int]) -> list[Shown]:
        """Open pictures that are chosen for what they teach, those that teach most first."""
        found = self._run(candidates.asked_images(), without=held, window=NEAR)
        known = worths(self.session, [image.image_id for image in found])
        return sorted(found, key=lambda image: -known.get(image.image_id, 0.0))

    def _find_open(
        self,
        count: int,
        held: Sequence[int],
        windows: Sequence[int],
        protected: int | None = None,
        *,
        is_at_random: bool = False,
    ) -> list[Shown]:
        found: list[Shown] = []
        start = self.chance.randrange(PLACES)
        for window in windows:
            for is_before in (False, True):
                if len(found) >= count:
                    return found
                found += self._run(
                    candidates.open_images(is_before, protected is not None, is_at_random),
                    count=count - len(found),
                    without=[*held, *(image.image_id for image in found)],
                    start=start,
                    window=window,
                    protected=protected,
                )
        return found

    def _take_over(self, count: int) -> list[Shown]:
        holders = self.session.execute(candidates.count_holders(), self.values | {"window": FAR}).scalar_one()
        return self._find_open(count, [], [NEAR], protected=0 if holders > CROWD else PROTECTED)

    def mix_in(self, images: Sequence[Shown], mix: Mix) -> list[Shown]:
        """The pictures with controls and repeats between them, by a chance that depends only on rater and picture."""
        chosen: list[Shown] = []
        for image in images:
            drawn = random.Random(f"{self.me} {image.image_id}").random()
            extra = None
            if drawn < mix.controls:
                extra = self._find_control(chosen)
            elif drawn < mix.controls + mix.repeats:
                extra = self._find_repeat(candidates.repeatable_image(), chosen)
            elif drawn < mix.controls + mix.repeats + mix.looks:
                extra = self._find_look(chosen)
            chosen += [image] if extra is None else [extra, image]
        return chosen

    def reserve(self, chosen: Sequence[Shown], until: datetime, held: int) -> None:
        """Reserves the images for this rater until then; the first `held` of them are reserved already.

        The others' reservations are made new, so that they come next time in the order of this time: a repeat and a
        picture whose reservation ran out have an old one. Records which are repeats.
        """
        ids = [image.image_id for image in chosen]
        kept, new = ids[:held], ids[held:]
        if kept:
            self.session.exec(update(Lease).where(*self._leases(kept)).values(expires_at=until))
        if not new:
            return
        knows_row = set(self.session.exec(select(Lease.image_id).where(*self._leases(new), col(Lease.knows_row))))
        self.session.exec(delete(Lease).where(*self._leases(new)))
        self.session.execute(
            insert(Lease),
            [
                {"image_id": image, "rater_id": self.me, "expires_at": until, "knows_row": image in knows_row}
                for image in new
            ],
        )
        for image in chosen[held:]:
            if again := self.repeated.get(image.image_id):
                self.session.add(again)

    def _leases(self, images: Sequence[int]) -> tuple[Any, ...]:
        return (col(Lease.rater_id) == self.me, col(Lease.image_id).in_(images))

    def _find_control(self, chosen: Sequence[Shown]) -> Shown | None:
        first, last = self.session.execute(candidates.control_ids()).one()
        if first is None:
            return None
        without, start = [image.image_id for image in chosen], self.chance.randint(first, last)
        for is_before in (False, True):
            if found := self._run(candidates.unseen_control(is_before), without=without, start=start):
                return found[0]
        return None

    def _find_look(self, chosen: Sequence[Shown]) -> Shown | None:
        """A picture whose only vote looks like a slip: another's, or, where nobody else rates, the rater's own."""
        if found := self._run(candidates.contradicted_image(), without=[image.image_id for image in chosen]):
            return found[0]
        others = self.session.execute(candidates.others_who_rate(), self.values | {"day": self.since}).first()
        own = None if others else self._find_repeat(candidates.own_contradicted_image(), chosen)
        if own is not None:
            self.repeated[own.image_id].is_look = True
        return own

    def _find_repeat(self, statement: Any, chosen: Sequence[Shown]) -> Shown | None:
        values = {
            "without": [image.image_id for image in chosen],
            "since": self.chance.randrange(REPEAT_AFTER, 2 * REPEAT_AFTER),
            "reach": REPEAT_REACH,
        }
        row = self.session.execute(statement, self.values | values).first()
        if row is None:
            return None
        *shown, vote_id = row
        image = Shown(*shown)._replace(number=public_number())
        again = Repeat(rater_id=self.me, image_id=image.image_id, first_vote_id=vote_id, number=image.number)
        self.repeated[image.image_id] = again
        return image

    def _run(self, statement: Any, **values: Any) -> list[Shown]:
        return [Shown(*row) for row in self.session.execute(statement, self.values | values)]
