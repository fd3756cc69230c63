"""The record of the loop bench in words: a table for the terminal and the page `docs/measured/evidence.md`."""

from pathlib import Path

from bench.loop.record import Change, HeldOut, Method, Rate, Record, WorldRecord
from bench.loop.rows import BY_ROUND, HIGHER_GUIDANCE, ONCE, ROWS, WOOLFS_GUIDANCE
from store.phrases import plural

PAGE, SECTION = (Path(__file__).with_name(name) for name in ("record_page.md.in", "record_section.md.in"))
COLUMNS = (
    "| method | votes | wrong | 95 % | change, same seeds (95 %) | time | diversity | prompt followed "
    "| AUC, own | AUC, base | strength | fit |"
)
EXPLAINED = {
    "base+negative-prompt": "a text that names what may be wrong.",
    "base+guidance": f"the base at guidance {HIGHER_GUIDANCE:g}, without votes. The default method raises guidance "
    "with its strength; this row shows how much of its gain comes from that.",
    "default": "what ships: the version's own check, and as many tries as `NAYSAYER_TRIES` allows.",
    ONCE: "the default method with one drawing of every picture.",
    "check-1": "the fifth of the pictures that the version's LoRA finds most like the rejects is drawn again once, and "
    "the better drawing kept. The cut comes from other prompts. `check-3`: up to three times.",
    "best-of-2": "every picture is drawn twice, and the better kept. `best-of-6`: six times, for every third seed.",
    "shuffled-check": "the control of `check-1`: every picture gets the score of some other.",
    "prompt-check": "as `check-1`, but the score is only how far a picture departs from its prompt, which the base "
    "tells without votes. What `check-1` has more is what the votes taught.",
    "base-check": "as `check-1`, but the plain base draws, and the version only checks.",
    "random-outputs": "the control, a LoRA of the same size on as many of the base's own pictures, chosen at random.",
    "woolf": f"a LoRA on the rejects under one trigger word, on both halves, at guidance {WOOLFS_GUIDANCE:g}, as Max "
    "Woolf used it on SDXL. `woolf-tuned`: the same, but the judge itself chose guidance and scale on other prompts "
    "and seeds, which no user can do.",
    "wrong-votes-20": "the default method when every fifth vote is wrong.",
}


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
        if name not in BY_ROUND and not name.startswith("held-out")
    ]
    return "\n".join([COLUMNS, "|" + " --- |" * COLUMNS.count(" | ") + " --- |", *rows])


def removed_methods(found: WorldRecord) -> list[str]:
    """The methods that the record has and the program no longer has."""
    known = {row.label for row in ROWS} | set(BY_ROUND)
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
        "" if m.time is None else f"{m.time:.2f}",
        f"{m.diversity:.2f}",
        _percent(m.adherence),
        _auc(m.auc, m.auc_within),
        _auc(m.base_auc, m.base_auc_within),
        ", ".join(f"{s:g}" for s in m.strengths) if any(m.strengths) else "",
        f"{m.train_seconds:.0f} s" if m.train_seconds else "",
    ]
    return "| " + " | ".join(cells) + " |"


def page(found: Record) -> str:
    """The page of evidence; every number in it comes from the record."""
    return PAGE.read_text(encoding="utf-8").format(
        date=found.date,
        machine=found.machine,
        replicates=plural(next(iter(found.worlds.values())).replicates, "replicate"),
        tried=", ".join(f"{strength:g}" for strength in found.strengths_tried),
        sections="\n".join(_section(name, world, found.votes_a_round) for name, world in found.worlds.items()),
        explained=_explained(found),
    )


def _explained(found: Record) -> str:
    """A line for each row that needs explaining and that some world has."""
    known = {name for world in found.worlds.values() for name in world.methods}
    return "\n".join(f"- `{name}`: {words}" for name, words in EXPLAINED.items() if name in known)


def _section(name: str, found: WorldRecord, votes_a_round: int) -> str:
    return SECTION.read_text(encoding="utf-8").format(
        world=name,
        headline=_headline(found, votes_a_round),
        table=table(found),
        removed=_removed_note(found),
        negative_prompt=found.negative_prompt,
        controls=_controls(found),
        kinds=_kinds(found),
        which=_which(found),
        held_out=_held_out(found.held_out),
        meaning=_meaning(found),
    )


def _headline(found: WorldRecord, votes_a_round: int) -> str:
    base, last = found.methods["base"], found.methods[found.default]
    ratio = last.rate / base.rate if base.rate else 1.0
    return (
        f"After {plural(found.rounds, 'round')} of {votes_a_round} votes (5 % of them wrong) the share of wrong "
        f"pictures went from {_percent(base.rate)} to {_percent(last.rate)}, {ratio:.2f} of the base's: "
        f"{_change(last)} percentage points on the same prompts and seeds{_at_time(last)}."
    )


def _at_time(m: Method) -> str:
    return "" if m.time is None else f", at {m.time:.2f} times the time of one drawing"


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
    shown = ("base", "base+negative-prompt", "base+guidance", *(f"{found.default}, round {n}" for n in (1, 2, 3)))
    methods = {name: found.methods[name] for name in shown if name in found.methods}
    kinds = list(dict.fromkeys(kind for m in methods.values() for kind in m.faults))
    lines = [[kind, *(str(m.faults.get(kind, 0)) for m in methods.values())] for kind in kinds]
    head = ["fault, pictures with it", *methods]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))


def _which(found: WorldRecord) -> str:
    """For which kinds of fault the default method helps and for which it does not, each by its own 95 % interval."""
    rules = {
        "Fewer than the base, beyond chance": lambda k: k.paired_high < 0,
        "No difference shown": lambda k: k.paired_low <= 0 <= k.paired_high,
        "More than the base, beyond chance": lambda k: k.paired_low > 0,
    }
    lines = []
    for words, holds in rules.items():
        kinds = [f"{name} ({k.before} → {k.after})" for name, k in found.kinds.items() if holds(k)]
        lines.append(f"- {words}: {', '.join(kinds) or 'none'}.")
    return "\n".join(lines) if found.kinds else ""


def _auc(plain: float | None, within: float | None) -> str:
    return "" if plain is None or within is None else f"{plain:.2f} ({within:.2f})"


def _held_out(found: HeldOut | None) -> str:
    if found is None:
        return ""
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
