"""What a person may do with a version, asked first whether it is wise; each one transaction and one event."""

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.gate.evidence import evidence_of, failed_checks, guardrails
from feedback.gate.gate import Verdict, evidence_words
from feedback.versions import champion, get_version, promote
from store.engine import reading, writing
from store.errors import BadRequest
from store.layout import Layout
from store.tables import Action, AliasEvent, AliasName, Run, RunStatus, Task, TaskKind, TaskStatus, utc_now


def objections(engine: Engine, layout: Layout, number: int) -> list[str]:
    """What speaks against promoting a version, in sentences; empty when nothing does."""
    found = failed_checks(layout, get_version(engine, number))
    evidence = evidence_of(engine, number)
    if evidence is None:
        return found
    if evidence.verdict is Verdict.worse:
        found.append(evidence_words(evidence))
    return found + [g.sentence for g in guardrails(engine, number, champion(engine).number) if g.is_broken]


def promote_by_hand(engine: Engine, layout: Layout, number: int, reason: str, *, force: bool = False) -> None:
    """Makes a version the champion, as a person decided.

    Raises BadRequest when a check fails, a guardrail is broken or the verdict is "worse", unless it is forced with a
    reason.
    """
    against = objections(engine, layout, number)
    if against and not force:
        raise BadRequest(f"v{number} was not promoted: {'; '.join(against)}; force it with a reason if you must")
    if against and not reason:
        raise BadRequest(f"v{number} was not promoted: forcing it needs a reason ({'; '.join(against)})")
    promote(engine, number, f"{reason} (forced: {'; '.join(against)})" if against else reason)


def ask_for_retrain(engine: Engine, reason: str) -> None:
    """Asks the worker for a retrain now, due or not. Raises BadRequest when one runs or was asked for."""
    with writing(engine) as session:
        waiting = select(Task).where(Task.kind == TaskKind.retrain, Task.status == TaskStatus.waiting)
        if session.exec(waiting).first() is not None:
            raise BadRequest("a retrain was asked for already; it starts as soon as the worker is free")
        if session.exec(select(Run).where(Run.status == RunStatus.running)).first() is not None:
            raise BadRequest("a retrain runs already; nothing was changed")
        session.add(Task(kind=TaskKind.retrain, status=TaskStatus.waiting))
        session.add(_event(Action.retrain, reason))


def stop_retrain(engine: Engine, reason: str) -> None:
    """Asks the running retrain to stop after its step; it makes no version and is not gone on with.

    Raises BadRequest when none runs.
    """
    with writing(engine) as session:
        run = session.exec(select(Run).where(Run.status == RunStatus.running).order_by(col(Run.id).desc())).first()
        if run is None or run.stop_reason is not None:
            raise BadRequest("no retrain runs that could be stopped; nothing was changed")
        run.stop_reason, run.updated_at = reason or "stopped by a person", utc_now()
        session.add(run)
        session.add(_event(Action.stop, reason))


def is_stop_asked(engine: Engine, run_id: int) -> bool:
    """True once a person asked this run to stop."""
    with reading(engine) as session:
        return session.get_one(Run, run_id).stop_reason is not None


def _event(action: Action, reason: str) -> AliasEvent:
    return AliasEvent(action=action, alias=AliasName.challenger, reason=reason)
