"""What a card's record says, as Markdown: docs/operator/card.md"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.card.computed import write_into

BEGIN = "<!-- `naysayer bench card --docs` writes this. -->"
END = "<!-- the end of what was measured -->"
Record = Mapping[str, Any]


def write_measured(page: Path, record: Record) -> None:
    """Puts the record's tables between their marks in a page."""
    write_into(page, measured(record), BEGIN, END)


def measured(record: Record) -> str:
    """Every check and every figure of a record, and what it left out."""
    libraries = ", ".join(f"{name} {number}" for name, number in record["libraries"].items())
    sides = f"checks in {record['side_px']} px, fits among them in {record['fit_px']} px"
    about = (
        f"**Measured** on {record['device']} ({record['memory_gb']:.1f} GB), {record['date']}, {record['seconds']} s: "
        f"`{record['model']}`, {sides}; {libraries}."
    )
    blocks = [about, "\n".join(_checks(record))]
    blocks += [
        "\n".join(lines(record["figures"][name])) for name, lines in FIGURES.items() if name in record["figures"]
    ]
    if record["left_out"]:
        blocks.append("\n".join(["Left out:", "", *(f"- {sentence}" for sentence in record["left_out"])]))
    return "\n\n".join(blocks)


def _checks(record: Record) -> Iterator[str]:
    yield from ("| check | holds | found |", "| --- | --- | --- |")
    for one in record["findings"]:
        yield f"| {one['name']} | {'yes' if one['holds'] else '**no**'} | {one['words'].replace('|', '/')} |"


def _drawing(found: Record) -> Iterator[str]:
    how = f"{found['pictures_at_once']} at once, {found['steps']} steps, decoded {found['decoded']}"
    yield from (f"| pictures ({how}) | a minute | a call, of plain with as many rows |", "| --- | --- | --- |")
    for rule, row in found["rules"].items():
        yield f"| {rule} | {row['per_minute']:.3g} | {row['of_plain_with_as_many_rows']:.2f} |"


def _retrain(found: Record) -> Iterator[str]:
    yield from ("| a retrain's steps | images/s | of the bf16 peak | peak memory |", "| --- | --- | --- | --- |")
    yield from (_fit(name, row) for name, row in found["fits"].items())


def _quantised(found: Record) -> Iterator[str]:
    yield from ("| base quantised to | images/s | of the bf16 peak | peak memory |", "| --- | --- | --- | --- |")
    yield from (_fit(name, row) for name, row in found.items())


def _fit(name: str, row: Record) -> str:
    again = " with gradient checkpointing" if row["gradient_checkpointing"] else ""
    share = "" if row["bf16_peak_share"] is None else f"{row['bf16_peak_share']:.0%}"
    about = f"{name}: {row['latents_a_pass']} a pass{again}"
    return f"| {about} | {row['images_per_s']:.3g} | {share} | {row['peak_gb']:.1f} GB |"


def _decoding(found: Record) -> Iterator[str]:
    yield from (f"| decoding {found['pictures']} pictures | seconds | peak memory |", "| --- | --- | --- |")
    for way, row in found["ways"].items():
        yield f"| {way} | {row['seconds']:.2f} | {row['peak_gb']:.1f} GB |" if row else f"| {way} | does not fit | |"


def _beside(found: Record) -> Iterator[str]:
    plan = found["plan"]
    how = f"batch {plan['batch']}, rank {plan['rank']}, {plan['steps']} steps, {plan['dtype']}"
    yield from (f"| retrain ({how}) | images/s | other time | peak memory |", "| --- | --- | --- | --- |")
    for side, row in found["sides"].items():
        most = row["host_peak_gb"] if row["peak_gb"] is None else row["peak_gb"]
        yield f"| {side} | {row['images_per_s']:.3g} | {row['other_s']:.0f} s | {most:.1f} GB |"


FIGURES = {
    "drawing": _drawing,
    "retrain": _retrain,
    "decoding": _decoding,
    "quantised": _quantised,
    "beside": _beside,
}
