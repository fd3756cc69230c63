"""What happened to the versions and the retrains, and what the last retrain that ended badly needs."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from feedback.pool.pool import Due
from feedback.runs import can_resume
from store.phrases import plural
from store.tables import Action, AliasEvent, Run, RunStatus
from ui.web.phrases import ago

TRAINED = "trained on "
"""So begins the reason of a version that a retrain published: it goes on from "v4 was"."""


class Happening(NamedTuple):
    """What happened, the reason that was given, and when."""

    words: str
    reason: str
    at: datetime


def happenings(events: Iterable[AliasEvent], runs: Iterable[Run], most: int) -> list[Happening]:
    """The newest events and retrains that ended badly, newest first."""
    found = [_of_event(event) for event in events] + [_of_run(run) for run in runs]
    return sorted(found, key=lambda one: one.at, reverse=True)[:most]


def event_words(event: AliasEvent) -> str:
    """What happened to a version."""
    came, went = f"v{event.from_version}", f"v{event.to_version}"
    return {
        Action.begin: "The plain base v0 went live",
        Action.publish: f"{went} was trained",
        Action.promote: f"{went} replaced {came} as champion",
        Action.roll_back: f"{came} was rolled back to {went}",
        Action.refuse: f"{came} was refused",
        Action.no_difference: f"{came} was set aside",
        Action.withdraw: f"{came} was withdrawn" + (f", {went} is champion" if event.to_version is not None else ""),
        Action.retrain: "Somebody asked for a retrain",
        Action.stop: "Somebody stopped the retrain",
    }[event.action]


def ended_words(last: Run | None) -> str:
    """How the last retrain ended, where it made no version though nobody stopped it; else empty."""
    if last is None or last.stop_reason is not None:
        return ""
    return {RunStatus.failed: "failed", RunStatus.interrupted: "was interrupted"}.get(last.status, "")


def retrain_warning(last: Run | None, due: Due, *, is_automatic: bool) -> str:
    """When and why the last retrain ended without a version, and when the next one starts; empty when it did not."""
    ended = ended_words(last)
    if last is None or not ended:
        return ""
    why = f": {last.message}" if last.message else ""
    missing = due.needed - due.new_rejects
    at_once = "“Retrain now…” on the page Versions, or `naysayer retrain` on the server, starts it at once"
    if not is_automatic:
        by_itself = "None starts by itself"
    elif can_resume(last):
        by_itself = "A worker goes on with it when it starts"
    elif missing > 0:
        by_itself = f"The next one starts by itself after {plural(missing, 'more reject')}"
    else:
        by_itself = "The next one starts by itself, at the latest with the next new reject"
    return f"The last retrain {ended} {ago(last.updated_at)}{why}. {by_itself}; {at_once}"


def _of_event(event: AliasEvent) -> Happening:
    if event.action is Action.publish and event.reason.startswith(TRAINED):
        return Happening(f"v{event.to_version} was {event.reason}", "", event.created_at)
    reason = "" if event.action is Action.begin else event.reason
    return Happening(event_words(event), reason, event.created_at)


def _of_run(run: Run) -> Happening:
    return Happening(f"A retrain {ended_words(run)}", run.message, run.updated_at)
