"""Promotion by hand: what speaks against it is checked first."""

from sqlalchemy import Engine
from sqlmodel import Session, select

from feedback.gate.evidence import evidence_of, failed_checks, guardrails
from feedback.gate.gate import Conclusion, evidence_words
from feedback.sample.conditions import is_alike, load_conditions
from feedback.statistics import confidence_sequence
from feedback.versions import champion, conclude, get_version, promote
from store.engine import reading
from store.errors import BadRequest
from store.layout import Layout
from store.tables import Action, Image, Origin, VersionTally


def list_objections(engine: Engine, layout: Layout, number: int) -> list[str]:
    """What speaks against promoting a version, in sentences; empty when nothing does.

    Pairs decide where they tell the versions apart; where they do not, the votes on sampled pictures may.
    """
    found = failed_checks(layout, get_version(engine, number))
    evidence = evidence_of(engine, number)
    if evidence is None:
        return found
    live = champion(engine).number
    if evidence.conclusion is Conclusion.worse:
        found.append(evidence_words(evidence))
    elif evidence.conclusion is not Conclusion.better:
        with reading(engine) as session:
            found += _higher_rate(session, number, live)
    return found + [g.sentence for g in guardrails(engine, number, live) if g.is_broken]


def _higher_rate(session: Session, number: int, live: int) -> list[str]:
    """A sentence when a version's sampled pictures are rejected more often than the champion's, drawn alike.

    The intervals may be watched (`confidence_sequence`); the rates differ for certain when they do not meet.
    """
    tallies = (session.get(VersionTally, (one, Origin.sampled)) for one in (number, live))
    new, old = ((tally.rejected, tally.rejected + tally.kept) if tally else (0, 0) for tally in tallies)
    if confidence_sequence(*new).low <= confidence_sequence(*old).high or not _is_drawn_alike(session, number, live):
        return []
    said, before = (f"{100 * rejected / judged:.0f} % of {judged}" for rejected, judged in (new, old))
    return [f"its sampled pictures are rejected more often than the champion's: {said}, the champion's {before}"]


def _is_drawn_alike(session: Session, one: int, other: int) -> bool:
    """Whether all sampled pictures of two versions were drawn under settings that compare."""
    known = load_conditions(session)
    rows = [
        [known[under] for under in session.exec(select(Image.conditions_id).where(*_sampled(number)).distinct())]
        for number in (one, other)
    ]
    return all(is_alike(a, b) for a in rows[0] for b in rows[1])


def _sampled(number: int) -> tuple:
    return Image.version == number, Image.origin == Origin.sampled


def promote_by_hand(engine: Engine, layout: Layout, number: int, reason: str, *, force: bool = False) -> None:
    """Makes a version the champion, as a person decided.

    Raises BadRequest when a check fails, a guardrail is broken or the conclusion is "worse", unless it is forced with a
    reason.
    """
    against = list_objections(engine, layout, number)
    if against and not force:
        raise BadRequest(f"v{number} was not promoted: {'; '.join(against)}; force it with a reason if you must")
    if against and not reason:
        raise BadRequest(f"v{number} was not promoted: forcing it needs a reason ({'; '.join(against)})")
    promote(engine, number, f"{reason} (forced: {'; '.join(against)})" if against else reason)


def set_aside(engine: Engine, number: int, reason: str) -> None:
    """Ends the challenge of a version, as a person decided; it can still be promoted.

    Raises BadRequest when it is not the challenger.
    """
    live, evidence = champion(engine).number, evidence_of(engine, number)
    is_worse = evidence is not None and evidence.conclusion is Conclusion.worse
    if not conclude(engine, Action.refuse if is_worse else Action.no_difference, number, live, reason):
        raise BadRequest(f"v{number} is not the challenger now; nothing was changed")
