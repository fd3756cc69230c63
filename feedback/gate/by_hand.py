"""Promotion by hand: what speaks against it is checked first."""

from sqlalchemy import Engine

from feedback.gate.evidence import evidence_of, failed_checks, guardrails
from feedback.gate.gate import Conclusion, evidence_words
from feedback.versions import champion, get_version, promote
from store.errors import BadRequest
from store.layout import Layout


def list_objections(engine: Engine, layout: Layout, number: int) -> list[str]:
    """What speaks against promoting a version, in sentences; empty when nothing does."""
    found = failed_checks(layout, get_version(engine, number))
    evidence = evidence_of(engine, number)
    if evidence is None:
        return found
    if evidence.conclusion is Conclusion.worse:
        found.append(evidence_words(evidence))
    return found + [g.sentence for g in guardrails(engine, number, champion(engine).number) if g.is_broken]


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
