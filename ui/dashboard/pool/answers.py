"""What the page Pool shows, as JSON: texts and addresses of pictures, no HTML."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine

from feedback.figures.summary import version_rows
from feedback.pool.browse.facets import facets
from feedback.pool.browse.gallery import Accord, Filter, Gallery, Sort, Thumb, View, Which, gallery
from feedback.pool.browse.opened import Opened, SeenVote
from feedback.pool.curation import Decision
from feedback.pool.verdicts import outcome_of_counts
from feedback.rate.raters import rater_names
from store.phrases import plural
from store.tables import PoolAction, PoolEvent, Reason, Verdict
from ui.web.phrases import ago, percent
from ui.web.pictures import image_url

Answer = dict[str, Any]
Word = TypeVar("Word", bound=StrEnum)

VERDICTS = {Verdict.reject: "rejected", Verdict.keep: "kept", Verdict.skip: "skipped", Verdict.undo: "undone"}
DONE = {
    PoolAction.exclude: "taken out",
    PoolAction.restore: "put back",
    PoolAction.reject: "overruled: reject",
    PoolAction.keep: "overruled: keep",
    PoolAction.follow: "judged by the votes again",
}


def read_filter(params: Mapping[str, str]) -> Filter:
    """The filter that an address says; what cannot be read is as usual."""
    return Filter(
        _word(params, "which", Which) or Which.rejects,
        params.get("prompt", "")[:200],
        _word(params, "reason", Reason),
        _number(params, "version"),
        params.get("rater", "")[:200],
        _word(params, "accord", Accord) or Accord.any,
        _date(params, "since"),
        _date(params, "until"),
    )


def read_view(params: Mapping[str, str]) -> View:
    """The page and the order that an address says."""
    return View(_number(params, "page") or 0, sort=_word(params, "sort", Sort) or Sort.newest)


def page_answer(engine: Engine, wanted: Filter, view: View) -> Answer:
    """One page of the gallery; the first where there are fewer than asked for."""
    found = gallery(engine, wanted, view)
    if view.page and not found.thumbs:
        return page_answer(engine, wanted, view._replace(page=0))
    return {
        "thumbs": [_thumb(thumb, found) for thumb in found.thumbs],
        "total": found.total,
        "is_more": found.is_more,
        "page": view.page,
        "pages": max(1, -(-found.total // view.size)),
    }


def _thumb(thumb: Thumb, found: Gallery) -> Answer:
    doubt = found.doubts.get(thumb.image_id)
    return {
        "id": thumb.image_id,
        "url": image_url(thumb.sha256),
        "width": thumb.width,
        "prompt": thumb.prompt,
        "version": thumb.version,
        "votes": vote_words(thumb.rejects, thumb.keeps),
        "rejects": thumb.rejects,
        "keeps": thumb.keeps,
        "ruled": thumb.ruled,
        "reasons": thumb.reasons,
        "doubt": f"{VERDICTS[doubt.verdict]} by {doubt.rater}; reject: {percent(doubt.chance)}" if doubt else "",
    }


def vote_words(rejects: int, keeps: int) -> str:
    """
    >>> vote_words(1, 2)
    '1 reject, 2 keeps'
    """
    return f"{plural(rejects, 'reject')}, {plural(keeps, 'keep')}"


def choices_answer(engine: Engine, wanted: Filter) -> Answer:
    """The choices of each filter as (value, pictures that it leaves); where nothing was counted, every choice."""
    counted = facets(engine, wanted)
    if counted is not None:
        return {name: [[str(value), n] for value, n in counts.items()] for name, counts in counted._asdict().items()}
    return {
        "which": [[which, None] for which in Which],
        "version": [[str(row.number), None] for row in version_rows(engine)],
        "reason": [[reason, None] for reason in Reason],
        "rater": [[name, None] for name in rater_names(engine)],
        "accord": [[accord, None] for accord in Accord if accord is not Accord.any],
    }


def opened_answer(opened: Opened) -> Answer:
    """One picture and everything about it."""
    image = opened.image
    return {
        "id": image.id,
        "url": image_url(image.sha256),
        "width": image.width,
        "height": image.height,
        "prompt": opened.prompt,
        "marks": [mark._asdict() for mark in rings(opened.votes)],
        "facts": facts_of(opened),
        "votes": [_vote(vote, _following(opened.votes[:place], vote)) for place, vote in enumerate(opened.votes)],
        "events": [_event(event) for event in opened.events],
        "verdict": _verdict(opened),
        "is_out": opened.is_taken_out,
        "ruled": opened.ruled,
    }


def _verdict(opened: Opened) -> str:
    counted = Counter(vote.verdict for vote in opened.votes if vote.is_vote)
    return outcome_of_counts(counted[Verdict.reject], counted[Verdict.keep], opened.ruled)


def facts_of(opened: Opened) -> list[tuple[str, str]]:
    """What is known of a picture, each with its name."""
    image = opened.image
    trained = ", ".join(f"v{number} (as a {role.value})" for number, role in opened.trained)
    counted = Counter(vote.verdict for vote in opened.votes if vote.is_vote)
    facts = [
        ("version", f"v{image.version}"),
        ("seed", str(image.seed)),
        ("picture", f"{image.id}, {image.width} × {image.height}"),
        ("votes", vote_words(counted[Verdict.reject], counted[Verdict.keep])),
        ("trained", trained or "no version yet"),
        ("pool", "taken out by hand" if opened.is_taken_out else "in the pool"),
    ]
    return [*facts, *([("check", "; ".join(words))] if (words := check_words(opened)) else [])]


class Ring(NamedTuple):
    """A mark of a current vote: shares of the picture's width and height, within its frame."""

    x: float
    y: float
    rater: str


def rings(votes: Sequence[SeenVote]) -> list[Ring]:
    """The marks of the current votes."""
    marks = [(mark, vote.rater) for vote in votes if vote.is_current for mark in vote.marks]
    return [Ring(_within(x), _within(y), rater) for (x, y), rater in marks]


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))


def _following(newer: Sequence[SeenVote], vote: SeenVote) -> SeenVote | None:
    """The same rater's next press; `newer` begins with the newest."""
    return next((one for one in reversed(newer) if one.rater == vote.rater), None)


def notes_of(vote: SeenVote, following: SeenVote | None = None) -> list[str]:
    """What is said beside a vote: reasons, marks, and why it does not count; `following` is the rater's next press."""
    notes = [*vote.reasons, *([plural(len(vote.marks), "mark")] if vote.marks else [])]
    if not vote.is_current:
        notes.append("said more later" if following and following.verdict is vote.verdict else "changed later")
    return notes + ([] if vote.is_counted else ["not counted: rater excluded"])


def check_words(opened: Opened) -> list[str]:
    """What a version's check says of a picture, and of the tries before the one that was kept."""
    words, drew = [], f"v{opened.image.version}"
    if found := opened.scored:
        words += (
            []
            if found.chance is None
            else [f"v{found.by}'s check expects a reject with a chance of {percent(found.chance)}"]
        )
        words.append(f"score {_signed(found.score)}")
        if found.others:
            how_many = "all" if found.lower == found.others > 1 else f"{found.lower:,} of"
            words[-1] += f": worse than {how_many} {plural(found.others, 'other picture')} of {drew}"
    if len(opened.tries) > 1:
        [kept] = [one.number for one in opened.tries if one.is_kept]
        scores = ", ".join(_signed(one.score) for one in opened.tries)
        words.append(f"try {kept} of {len(opened.tries)} was kept (scores {scores})")
    return words


def _signed(score: float) -> str:
    return f"{score:.3f}".replace("-", "−")


def decision_answer(decision: Decision) -> Answer:
    """One line of the history."""
    decided = decision.decided
    return {
        "first": decided.first,
        "last": decided.last,
        "words": f"{plural(decided.pictures, 'picture')} {DONE[decision.action]}",
        "by": decision.by,
        "reason": decision.reason,
        "ago": ago(decision.at),
    }


def _vote(vote: SeenVote, following: SeenVote | None) -> Answer:
    return {
        "rater": vote.rater,
        "verdict": vote.verdict,
        "word": VERDICTS[vote.verdict],
        "notes": notes_of(vote, following),
        "is_past": not (vote.is_current and vote.is_counted),
        "ago": ago(vote.vote.received_at),
    }


def _event(event: PoolEvent) -> Answer:
    return {
        "words": DONE[event.action].capitalize(),
        "by": event.by,
        "reason": event.reason,
        "ago": ago(event.created_at),
    }


def _word(params: Mapping[str, str], name: str, kind: type[Word]) -> Word | None:
    return next((word for word in kind if word.value == params.get(name)), None)


def _number(params: Mapping[str, str], name: str) -> int | None:
    value = params.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


def _date(params: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(params.get(name, ""))
    except ValueError:
        return None
