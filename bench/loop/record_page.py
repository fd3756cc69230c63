"""The record of the loop bench in words: a table for the terminal and the page `docs/measured/evidence.md`."""

from pathlib import Path

from bench.loop.record import Change, HeldOut, Method, Rate, Record, WorldRecord
from bench.loop.rows import HIGHER_GUIDANCE, ROWS, WOOLFS_GUIDANCE

PAGE, SECTION = (Path(__file__).with_name(name) for name in ("record_page.md.in", "record_section.md.in"))
COLUMNS = "| method | votes | wrong | 95 % | change, same seeds (95 %) | diversity | prompt followed | strength | fit |"


def tables(found: Record) -> str:
    """A table for each world, under its name."""
    return "\n\n".join(f"{name}\n\n{table(world)}" for name, world in found.worlds.items())


def table(found: WorldRecord) -> str:
    """The record as a Markdown table; the change is against the base, in percentage points.

    † marks a row that the program no longer makes.
    """
    removed = removed_methods(found)
    rows = [
        _line(f"{name} †" if name in removed else name, method)
        for name, method in found.methods.items()
        if name != found.default and not name.startswith("held-out")
    ]
    return "\n".join([COLUMNS, "|" + " --- |" * 9, *rows])


def removed_methods(found: WorldRecord) -> list[str]:
    """The methods that the record has and the program no longer has."""
    known = {row.label for row in ROWS} | {found.default}
    return [name for name in found.methods if name not in known]


def _removed_note(found: WorldRecord) -> str:
    """The footnote of `table`; empty when no row needs it."""
    return "\n† The program no longer has this method. The row was measured before.\n" if removed_methods(found) else ""


def _line(name: str, m: Method) -> str:
    cells = [
        name,
        str(m.votes or ""),
        f"{_percent(m.rate)} of {m.n}",
        f"{_percent(m.low)} – {_percent(m.high)}",
        "" if name == "base" else _change(m),
        f"{m.diversity:.2f}",
        _percent(m.adherence),
        ", ".join(f"{s:g}" for s in m.strengths) if any(m.strengths) else "",
        f"{m.train_seconds:.0f} s" if m.train_seconds else "",
    ]
    return "| " + " | ".join(cells) + " |"


def page(found: Record) -> str:
    """The page of evidence; every number in it comes from the record."""
    return PAGE.read_text(encoding="utf-8").format(
        date=found.date,
        machine=found.machine,
        replicates=next(iter(found.worlds.values())).replicates,
        tried=", ".join(f"{strength:g}" for strength in found.strengths_tried),
        sections="\n".join(_section(name, world, found.votes_a_round) for name, world in found.worlds.items()),
        higher_guidance=HIGHER_GUIDANCE,
        woolfs_guidance=WOOLFS_GUIDANCE,
    )


def _section(name: str, found: WorldRecord, votes_a_round: int) -> str:
    return SECTION.read_text(encoding="utf-8").format(
        world=name,
        headline=_headline(found, votes_a_round),
        table=table(found),
        removed=_removed_note(found),
        negative_prompt=found.negative_prompt,
        controls=_controls(found),
        kinds=_kinds(found),
        held_out=_held_out(found.held_out),
        meaning=_meaning(found),
    )


def _headline(found: WorldRecord, votes_a_round: int) -> str:
    base, last = found.methods["base"], found.methods[found.default]
    ratio = last.rate / base.rate if base.rate else 1.0
    return (
        f"After {found.rounds} rounds of {votes_a_round} votes (5 % of them wrong) the share of wrong "
        f"pictures went from {_percent(base.rate)} to {_percent(last.rate)}, {ratio:.2f} of the base's: "
        f"{_change(last)} percentage points on the same prompts and seeds."
    )


def _meaning(found: WorldRecord) -> str:
    """What the intervals allow to say of the default method after its last round."""
    last, control = found.methods[found.default], found.methods.get("random-outputs")
    against = control.default_against_it if control else None
    said = (
        "fewer wrong pictures than the base, beyond chance" if last.paired_high < 0 else "no clear gain over the base"
    )
    if against is None:
        return f"The loop gives {said}."
    beats = "It also beats" if against.paired_high < 0 else "It does not clearly beat"
    return f"The loop gives {said}. {beats} a LoRA of the base's own pictures, chosen at random."


def _controls(found: WorldRecord) -> str:
    """The default method beside each control that it is compared with, after one round and after the last."""
    first, last = found.methods[f"{found.default}, round 1"], found.methods[found.default]
    return "\n".join(
        f"- Against `{name}` the default method draws {first.rate / m.rate:.2f} times as many wrong pictures after one "
        f"round, {last.rate / m.rate:.2f} times after {found.rounds}; paired change "
        f"{_change(m.default_against_it)} and {_change(m.last_default_against_it)} points."
        for name, m in found.methods.items()
        if m.default_against_it and m.last_default_against_it and m.rate
    )


def _kinds(found: WorldRecord) -> str:
    """Pictures with each kind of fault: the base, only more guidance, and the default method round by round."""
    methods = {name: m for name, m in found.methods.items() if name.startswith(("base", f"{found.default},"))}
    kinds = list(dict.fromkeys(kind for m in methods.values() for kind in m.faults))
    lines = [[kind, *(str(m.faults.get(kind, 0)) for m in methods.values())] for kind in kinds]
    head = ["fault, pictures with it", *methods]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))


def _held_out(found: HeldOut) -> str:
    return (
        f"In a further run raters saw no {found.subject}, and they skipped pictures whose only fault was "
        f"`{found.fault}`:\n\n"
        f"- {found.subject} pictures judged wrong: base {_rate(found.subject_before)}, "
        f"after one round {_rate(found.subject_after)}\n"
        f"- {found.shown_by} pictures with the fault `{found.fault}`: base {_rate(found.fault_before)}, "
        f"after one round {_rate(found.fault_after)}"
    )


def _rate(m: Rate) -> str:
    return f"{_percent(m.rate)} ({_percent(m.low)} – {_percent(m.high)}, n {m.n})"


def _change(m: Change) -> str:
    return f"{_points(m.paired)} ({_points(m.paired_low)} to {_points(m.paired_high)})"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
