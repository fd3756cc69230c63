"""Figures in words, for the command line."""

from collections.abc import Sequence

from feedback.figures.summary import InHand, Standing, VersionRow
from feedback.pool.pool import Due
from feedback.sample.evaluation import SetRow
from feedback.sample.lists.look_alikes import foreign_syntax
from feedback.sample.prompts import Imported, ImportRow, Listed
from feedback.sample.setting_aside import Change, Changed
from store.archive.contents import BackupReport
from store.phrases import plural
from store.tables import Invitation, Prompt, RunStatus

SHOWN = 5  # pieces of foreign syntax that are named

MOST_NAMED = 20
"""Lost files that are named one by one."""


def version_table(rows: Sequence[VersionRow]) -> str:
    """One line a version, newest first: rate with its 95 % Wilson interval and what it is based on."""
    if not rows:
        return "no versions yet; `naysayer generate` records the plain base as v0"
    lines = ["version  alias       thumbs-down  95 % interval   judged   votes  raters  trained on"]
    return "\n".join(lines + [_line(row) for row in rows])


def standing_lines(standing: Standing, due: Due) -> str:
    """The loop in a few lines."""
    lines = [
        f"{plural(standing.waiting, 'picture')} to rate, {standing.drawn:,} drawn for rating so far "
        f"from {plural(standing.prompts, 'prompt')}, {standing.judged} judged",
        f"{plural(standing.votes, 'vote')} by {plural(standing.raters, 'rater')} "
        f"(the latest of each rater on each picture), {standing.votes_today} of them today",
        f"pool: {plural(standing.rejects, 'reject')}, {plural(standing.keeps, 'keep')}, {standing.disputed} disputed",
        due.sentence,
    ]
    if standing.look_again:
        lines.append(f"looked at again, because they look like slips: {plural(standing.look_again, 'vote')}")
    lines += standing.damaged
    lines += [in_hand_words(hand) for hand in standing.in_hand]
    if standing.run is not None and standing.run.status is RunStatus.running:
        lines.append(f"a retrain is running: step {standing.run.step} of {standing.run.steps}")
    if standing.run is not None and standing.run.status is RunStatus.interrupted:
        lines.append(f"the last retrain was interrupted: {standing.run.message}")
    return "\n".join(lines)


def in_hand_words(hand: InHand) -> str:
    """What a worker draws.

    >>> in_hand_words(InHand(8, 3, 7, 20))
    'drawing 8 pictures with v3: step 7 of 20'
    """
    step = f": step {hand.step} of {hand.steps}" if hand.steps else ""
    return f"drawing {plural(hand.pictures, 'picture')} with v{hand.version}{step}"


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
    return "\n".join([f"{line}; {len(report.missing)} files that the store had lost are not in it:", *named, *last])


def invitation_table(rows: Sequence[Invitation]) -> str:
    """One line an invitation, newest first."""
    if not rows:
        return "no invitations yet; `naysayer invite NAME` makes one"
    return "\n".join(
        f"{row.name:<24} {row.role.value:<8} until {row.expires_at:%Y-%m-%d %H:%M} UTC"
        + (f", revoked {row.revoked_at:%Y-%m-%d %H:%M} UTC" if row.revoked_at else "")
        for row in rows
    )


def imported_words(imported: Imported, given: int, name: str = "") -> str:
    """What an import did, and how it is undone.

    >>> imported_words(Imported(3, 5, 0), 6, "list.txt")
    '5 new prompts out of 6 in list.txt; `naysayer prompts remove --import 3` takes them back'
    """
    what = f"{plural(imported.new, 'new prompt')} out of {given}" + (f" in {name}" if name else "")
    if imported.number is not None:
        what += f"; `naysayer prompts remove --import {imported.number}` takes them back"
    if imported.set_aside:
        aside = plural(imported.set_aside, "other")
        what += f"; {aside}, paused or removed before, stay so until `naysayer prompts restore`"
    return what


def foreign_words(listed: Sequence[Listed]) -> str:
    """Which prompts hold the syntax of another program; empty without any.

    >>> foreign_words([Listed(1, "a cup"), Listed(4, "a (red:1.3) cup")])
    '1 prompt holds syntax of another program, which the model reads as plain words: (red:1.3) in line 4'
    """
    found = [f"{piece[:40]} in line {one.line}" for one in listed if (piece := foreign_syntax(one.text))]
    if not found:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    hold = f"{plural(len(found), 'prompt')} hold{'s' if len(found) == 1 else ''}"
    named = ", ".join(found[:SHOWN]) + more
    return f"{hold} syntax of another program, which the model reads as plain words: {named}"


def prompt_line(prompt: Prompt) -> str:
    """A prompt with its import and its state."""
    if prompt.is_removed:
        state = "removed"
    elif prompt.import_id is None:
        state = "only evaluated"
    else:
        state = "" if prompt.is_active else "paused"
    return f"{prompt.import_id or '–':>6}  {state:<14}  {prompt.text}"


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
