"""Figures in words, for the command line."""

from collections.abc import Sequence
from pathlib import Path

from feedback.figures.summary import Standing, VersionRow
from feedback.people.tokens import TokenRow
from feedback.pool.pool import Due
from feedback.retrain.progress import RetrainNow
from feedback.retrain.stages import Stage, seconds_words
from feedback.sample.evaluation import SetRow
from feedback.sample.lists.look_alikes import foreign_syntax
from feedback.sample.prompts import Imported, ImportRow, Listed, PromptState, state_of
from feedback.sample.setting_aside import Change, Changed
from feedback.workers import NO_WORKER, SeenWorker, span, worker_words
from store.archive.contents import BackupReport
from store.phrases import plural
from store.tables import Invitation, Prompt, RunStatus

CLOSED = "nobody can open this link while NAYSAYER_SIGN_IN is name; set it to invitations"
SHOWN = 5  # pieces of foreign syntax that are named

NO_VERSION = "no version yet: a worker records the plain base as v0 when it starts; `naysayer generate` starts one"
MOST_NAMED = 20
"""Lost files that are named one by one."""


def version_table(rows: Sequence[VersionRow]) -> str:
    """One line a version, newest first: rate with its 95 % Wilson interval and what it is based on."""
    if not rows:
        return NO_VERSION
    lines = ["version  alias       thumbs-down  95 % interval   judged   votes  raters  trained on"]
    return "\n".join(lines + [_line(row) for row in rows])


def worker_lines(workers: Sequence[SeenWorker], *, is_alive: bool) -> list[str]:
    """A line a worker; without one that runs, how to start one."""
    lines = [f"worker on {worker_words(worker)}" for worker in workers]
    if is_alive and not any(worker.is_there for worker in workers):
        return [*lines, "a worker is starting"]
    return lines if is_alive else [*lines, NO_WORKER]


def judged_words(standing: Standing) -> str:
    """How many pictures have a verdict, of how many, and where those come from."""
    drawn = f"drawn from {plural(standing.prompts, 'prompt')}"
    judged = f"{standing.judged:,} of {plural(standing.drawn + standing.imported, 'picture')} judged"
    if not standing.imported:
        return f"{judged}, {drawn}"
    return f"{judged}: {standing.drawn:,} {drawn}, {standing.imported:,} imported"


def no_store_line(file: Path) -> str:
    """What is said before the figures of a store that has not begun."""
    return f"there is no store at {file} yet; `naysayer run` begins one, NAYSAYER_DATA_DIR names another folder"


def standing_lines(standing: Standing, due: Due, now: RetrainNow | None = None, last: Sequence[Stage] = ()) -> str:
    """The loop in a few lines; `now` is the running retrain, `last` are the stages of the last that made a version."""
    lines = [
        f"{plural(standing.waiting, 'picture')} to rate; {judged_words(standing)}",
        f"{plural(standing.votes, 'vote')} by {plural(standing.raters, 'rater')} "
        f"(the latest of each rater on each picture), {standing.votes_today} of them today",
        f"pool: {plural(standing.rejects, 'reject')}, {plural(standing.keeps, 'keep')}, {standing.disputed} disputed",
        due.sentence,
    ]
    if standing.look_again:
        lines.append(f"looked at again, because they look like slips: {plural(standing.look_again, 'vote')}")
    lines += standing.damaged
    if now is not None:
        lines.append(f"a retrain is running, {now.share:.0%} done: {now.words}")
    elif last:
        lines.append(
            f"the last retrain took {span(sum(one.seconds for one in last))}: {', '.join(seconds_words(last))}"
        )
    if standing.run is not None and standing.run.status is RunStatus.interrupted:
        lines.append(f"the last retrain was interrupted: {standing.run.message}")
    return "\n".join(lines)


def _line(row: VersionRow) -> str:
    rate = "      –" if row.rate is None else f"{row.rate:7.1%}"
    interval = "       –       " if row.rate is None else f"{row.interval.low:6.1%} – {row.interval.high:6.1%}"
    return (
        f"v{row.number:<7} {', '.join(row.aliases):<11} {rate:>11}  {interval}  {row.judged:7d} {row.votes:7d} "
        f"{row.raters:7d}  {row.trained_on:10d}"
    )


def report_words(report: BackupReport) -> str:
    """What a backup holds, in a line; what the store had lost follows, a line each."""
    line = (
        f"{report.path}: {report.presses} key presses (undone and replaced votes included), "
        f"{plural(report.images, 'picture')} (controls included), {plural(report.versions, 'version')}, "
        f"{report.bytes / 1e6:.1f} MB"
    )
    if not report.missing:
        return line
    named = [f"  {name}" for name in report.missing[:MOST_NAMED]]
    more = len(report.missing) - len(named)
    last = [f"  and {more} more, all listed in its backup.json"] if more else []
    return "\n".join(
        [f"{line}; not in it, because the store had lost them: {plural(len(report.missing), 'file')}", *named, *last]
    )


def invitation_table(rows: Sequence[Invitation]) -> str:
    """One line an invitation, newest first."""
    if not rows:
        return "no invitations yet; `naysayer invite NAME` makes one"
    return "\n".join(
        f"{row.name:<24} {row.role.value:<8} until {row.expires_at:%Y-%m-%d %H:%M} UTC"
        + (f", revoked {row.revoked_at:%Y-%m-%d %H:%M} UTC" if row.revoked_at else "")
        for row in rows
    )


def token_table(rows: Sequence[TokenRow]) -> str:
    """One line a token, newest first."""
    if not rows:
        return "no tokens yet; `naysayer token make NAME` makes one"
    return "\n".join(
        f"{row.id:>4}  {row.name:<24} {row.role.value:<8} since {row.created_at:%Y-%m-%d %H:%M} UTC"
        + (f", last used {row.used_at:%Y-%m-%d %H:%M} UTC" if row.used_at else ", never used")
        + (f", revoked {row.revoked_at:%Y-%m-%d %H:%M} UTC" if row.revoked_at else "")
        + (f", allows {allows.value} only: {row.name} has that role" if allows is not row.role else "")
        for row, allows in rows
    )


def new_words(imported: Imported, given: int, name: str = "") -> str:
    """How many prompts of an import were new.

    >>> new_words(Imported(3, 5, 0), 6, "list.txt")
    '5 new prompts out of 6 in list.txt'
    """
    return f"{plural(imported.new, 'new prompt')} out of {given}" + (f" in {name}" if name else "")


def imported_words(imported: Imported, given: int, name: str = "") -> str:
    """What an import did, and how it is undone.

    >>> imported_words(Imported(3, 5, 0), 6, "list.txt")
    '5 new prompts out of 6 in list.txt; `naysayer prompts remove --import 3` takes them back'
    """
    what = new_words(imported, given, name)
    if imported.number is not None:
        what += f"; `naysayer prompts remove --import {imported.number}` takes them back"
    if imported.set_aside:
        aside = plural(imported.set_aside, "other")
        what += f"; {aside}, paused or removed before, stay so until `naysayer prompts restore`"
    return what


def foreign_words(listed: Sequence[Listed], *, is_weighted: bool) -> str:
    """Which prompts hold the syntax of another program; empty without any.

    >>> foreign_words([Listed(1, "a (red:1.3) cup"), Listed(4, "a cup <lora:cups:1>")], is_weighted=True)
    '1 prompt holds syntax of another program, which the model reads as plain words: <lora:cups:1> in line 4'
    """
    pieces = [(foreign_syntax(one.text, is_weighted=is_weighted), one.line) for one in listed]
    found = [f"{piece[:40]} in line {line}" for piece, line in pieces if piece]
    if not found:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    hold = f"{plural(len(found), 'prompt')} hold{'s' if len(found) == 1 else ''}"
    named = ", ".join(found[:SHOWN]) + more
    return f"{hold} syntax of another program, which the model reads as plain words: {named}"


def prompt_line(prompt: Prompt) -> str:
    """A prompt with its import and its state."""
    state = state_of(prompt)
    said = "" if state is PromptState.used else state.value
    weight = f"×{prompt.weight}" if prompt.weight > 1 else ""
    return f"{prompt.import_id or '–':>6}  {said:<14}  {weight:<3}  {prompt.text}"


def import_line(row: ImportRow) -> str:
    """An import in a line."""
    counts = f"{row.active} in use, {row.paused} paused, {row.removed} removed"
    return f"import {row.number}  {row.day}  {counts}  {row.source}"


def changed_words(change: Change, changed: Changed) -> str:
    """What became of prompts.

    >>> changed_words(Change.remove, Changed(2, 1))
    '2 prompts removed; the evaluation set in use has 1 pair less'
    """
    what = f"{plural(changed.prompts, 'prompt')} {change.value.removesuffix('e')}ed"
    if changed.pairs:
        more = "more" if change is Change.restore else "less"
        what += f"; the evaluation set in use has {plural(changed.pairs, 'pair')} {more}"
    return what


def set_line(row: SetRow) -> str:
    """An evaluation set in a line."""
    use = ", in use" if row.is_active else ""
    size = f"{plural(row.pairs, 'pair')} over {plural(row.prompts, 'prompt')}"
    return f"set {row.number} ({row.name}): {size}, {row.sha256[:12]}{use}"
