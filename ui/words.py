"""Figures in words, for the command line."""

from collections.abc import Sequence

from feedback.figures.summary import InHand, Standing, VersionRow
from feedback.pool.pool import Due
from feedback.sample.evaluation import SetRow
from store.archive.contents import BackupReport
from store.tables import Invitation, RunStatus

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
        f"{standing.waiting} pictures wait to be rated, {standing.drawn} drawn for rating so far "
        f"from {standing.prompts} prompts, {standing.judged} judged",
        f"{standing.votes} votes by {standing.raters} raters (the latest of each rater on each picture), "
        f"{standing.votes_today} of them today",
        f"pool: {standing.rejects} rejects, {standing.keeps} keeps, {standing.disputed} disputed",
        due.sentence,
    ]
    lines += [in_hand_words(hand) for hand in standing.in_hand]
    if standing.run is not None and standing.run.status is RunStatus.running:
        lines.append(f"a retrain is running: step {standing.run.step} of {standing.run.steps}")
    return "\n".join(lines)


def in_hand_words(hand: InHand) -> str:
    """What a worker draws.

    >>> in_hand_words(InHand(8, 3, 7, 20))
    'drawing 8 pictures with v3: step 7 of 20'
    """
    step = f": step {hand.step} of {hand.steps}" if hand.steps else ""
    return f"drawing {hand.pictures} picture{'' if hand.pictures == 1 else 's'} with v{hand.version}{step}"


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
        f"{report.images} pictures (controls included), {report.versions} versions, "
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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def set_line(row: SetRow) -> str:
    """An evaluation set in a line."""
    use = ", in use" if row.is_active else ""
    size = f"{_count(row.pairs, 'pair')} over {_count(row.prompts, 'prompt')}"
    return f"set {row.number} ({row.name}): {size}, {row.sha256[:12]}{use}"
