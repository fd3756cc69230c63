"""Which pictures are exported, with their votes: read a page at a time, so that memory does not grow with the store."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, func, or_
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from feedback.metadata.values import model_name
from feedback.pool.browse.gallery import Filter, Which, narrowed, part
from feedback.pool.damage import is_lasting
from feedback.pool.verdicts import KEEPS, REJECTS, RULED, Outcome, is_counted, outcome_of_counts
from feedback.rate.display import only_pixels
from feedback.rate.raters import find_rater
from feedback.succession import PLAIN
from store.engine import reading
from store.errors import BadRequest, DamagedStore
from store.files import Blobs, sha256_of
from store.tables import (
    CurrentVote,
    Image,
    ImportedPicture,
    Mark,
    Origin,
    Prompt,
    Rater,
    StoreRow,
    Verdict,
    Version,
    Vote,
    VoteReason,
)

PAGE = 500
BOTH = (Which.rejects, Which.keeps)


class Wanted(NamedTuple):
    """What is exported: the pictures of these parts of the pool that pass the filter (its `which` does not count).

    `has_names`: raters leave under their names, not under pseudonyms. `has_shards`: as WebDataset shards as well.
    """

    parts: tuple[Which, ...] = BOTH
    filter: Filter = Filter()
    has_names: bool = False
    has_shards: bool = False


class OneVote(NamedTuple):
    """One press on a picture, by a rater whose votes count."""

    request_id: str
    rater: str
    verdict: Verdict
    is_current: bool
    shown_at: datetime | None
    decided_at: datetime | None
    received_at: datetime
    page: str
    reasons: tuple[str, ...]
    marks: tuple[tuple[float, float], ...]


class Chosen(NamedTuple):
    """A picture to export, and every press on it, oldest first."""

    id: int
    sha256: str
    prompt: str
    negative_prompt: str
    seed: int | None
    steps: int | None
    guidance: float | None
    width: int
    height: int
    version: int
    origin: Origin
    rejects: int
    keeps: int
    ruled: Verdict | None
    created_at: datetime
    model: str = ""
    votes: tuple[OneVote, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return outcome_of_counts(self.rejects, self.keeps, self.ruled)

    @property
    def name(self) -> str:
        """Its file's name below `train`: a thousand pictures a folder, because hubs take no more than ten thousand.

        >>> Chosen(1234, "c0ffee" * 10 + "beef", *[None] * 13).name
        '000001/000001234-c0ffeec0ffee.png'
        """
        return f"{self.id // 1000:06d}/{self.id:09d}-{self.sha256[:12]}.png"


COLUMNS = (
    Image.id,
    Image.sha256,
    Prompt.text,
    Image.negative_prompt,
    Image.seed,
    Image.num_inference_steps,
    Image.guidance_scale,
    Image.width,
    Image.height,
    Image.version,
    Image.origin,
)
PRESSED = (
    Vote.id,
    Vote.image_id,
    Vote.request_id,
    Rater.id,
    Rater.name,
    Vote.verdict,
    CurrentVote.vote_id,
    Vote.shown_at,
    Vote.decided_at,
    Vote.received_at,
    Vote.page,
)


def count_chosen(engine: Engine, wanted: Wanted) -> int:
    """How many pictures are exported."""
    with reading(engine) as session:
        return session.execute(select_chosen(session, wanted, sa_select(func.count()).select_from(Image))).scalar_one()


def require_rater(engine: Engine, wanted: Wanted) -> None:
    """Raises BadRequest when the filter names a rater whom the store does not know."""
    name = wanted.filter.rater.strip()
    with reading(engine) as session:
        if name and find_rater(session, name) is None:
            raise BadRequest(f"no rater of this store is called {name[:80]!r}; check the name")


def chosen_pictures(engine: Engine, wanted: Wanted, *, after: int = 0) -> Iterator[Chosen]:
    """The pictures, oldest first, from the one after the row `after` on.

    Each page is read in its own transaction, so a long export holds up no writer.
    """
    with reading(engine) as session:
        store_id, last = session.exec(select(StoreRow.id)).first() or "", after
        base = model_name(session.exec(select(Version.base_model).where(Version.number == PLAIN)).first())
        newest = session.exec(select(func.max(Image.id))).one() or 0
    while True:
        with reading(engine) as session:
            columns = sa_select(*map(col, COLUMNS), REJECTS, KEEPS, RULED, col(Image.created_at))
            rows = select_chosen(session, wanted, columns).join(Prompt, col(Prompt.id) == Image.prompt_id)
            rows = rows.add_columns(col(ImportedPicture.seed), col(ImportedPicture.model)).join(
                ImportedPicture, col(ImportedPicture.image_id) == Image.id, isouter=True
            )
            rows = rows.where(col(Image.id) > last, col(Image.id) <= newest).order_by(col(Image.id)).limit(PAGE)
            page = [_as_it_was(Chosen(*row), base, seed, model) for *row, seed, model in session.execute(rows)]
            votes = _votes_on(session, [one.id for one in page], "" if wanted.has_names else store_id or "store")
        if not page:
            return
        yield from (one._replace(votes=tuple(votes[one.id])) for one in page)
        last = page[-1].id


def select_chosen(session: Session, wanted: Wanted, rows: Select, parts: Sequence[Which] = ()) -> Select:
    """Rows of `Image` that are exported, or only those of some parts of the pool."""
    return narrowed(session, rows, wanted.filter).where(_any_of(parts or wanted.parts))


def bytes_of(blobs: Blobs, sha256: str, origin: Origin) -> bytes | None:
    """The picture as PNG, or None where its file is lost or altered. Raises DamagedStore where it cannot be read now.

    An imported one may be of another kind, and say whose it is and where it was made: only its pixels go out.
    """
    try:
        stored = blobs.get(sha256)
    except DamagedStore as error:
        if not is_lasting(error):
            raise
        return None
    return only_pixels(stored) if origin is Origin.imported else stored


def pseudonym(store_id: str, rater_id: int) -> str:
    """What a rater is called outside: always the same for one store, and made without the name.

    >>> pseudonym("c0ffee", 7)
    'rater-3a8464f8'
    """
    return f"rater-{sha256_of(f'{store_id} {rater_id}'.encode())[:8]}"


def _as_it_was(one: Chosen, base: str, seed: str | None, model: str | None) -> Chosen:
    """The picture with its model. Of an imported one only what its file said, `seed` and `model`; they are None for one
    of our own. A seed that no 64-bit column holds is left out."""
    if seed is None or model is None:
        return one._replace(model=base)
    number = int(seed) if seed and int(seed) < 2**63 else None
    return one._replace(seed=number, steps=one.steps or None, guidance=one.guidance or None, model=model)


def _any_of(parts: Sequence[Which]) -> ColumnElement[bool]:
    return or_(*(part(which) for which in parts))


def _votes_on(session: Session, images: Sequence[int], store_id: str) -> dict[int, list[OneVote]]:
    """The presses by picture; the raters' names with an empty `store_id`, else their pseudonyms."""
    is_current = (col(CurrentVote.image_id) == Vote.image_id) & (col(CurrentVote.rater_id) == Vote.rater_id)
    rows = (
        sa_select(*map(col, PRESSED))
        .join(Rater, col(Rater.id) == Vote.rater_id)
        .join(CurrentVote, is_current, isouter=True)
        .where(col(Vote.image_id).in_(images), is_counted(Vote.rater_id))
        .order_by(col(Vote.id))
    )
    found = session.execute(rows).all()
    reasons = _noted(session, (VoteReason.vote_id, VoteReason.reason), VoteReason.reason, images)
    marks = _noted(session, (Mark.vote_id, Mark.x, Mark.y), Mark.id, images)
    votes: dict[int, list[OneVote]] = defaultdict(list)
    for vote_id, image, request, rater, name, verdict, current, shown, decided, received, page in found:
        said = tuple(reason.value for (reason,) in reasons[vote_id])
        known = pseudonym(store_id, rater) if store_id else name
        when_and_where = (shown, decided, received, page)
        pressed = OneVote(request, known, verdict, current == vote_id, *when_and_where, said, tuple(marks[vote_id]))
        votes[image].append(pressed)
    return votes


def _noted(session: Session, columns: Sequence[Any], order: Any, images: Sequence[int]) -> dict[int, list[tuple]]:
    """What was noted beside the votes on these pictures, by vote."""
    rows = sa_select(*map(col, columns)).join(Vote, col(Vote.id) == columns[0])
    noted: dict[int, list[tuple]] = defaultdict(list)
    for vote_id, *what in session.execute(rows.where(col(Vote.image_id).in_(images)).order_by(col(order))):
        noted[vote_id].append(tuple(what))
    return noted
