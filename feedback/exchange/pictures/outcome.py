"""What becomes of each picture: it comes in, to be trained on or only rated; it is here already; or it is refused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from shlex import quote
from typing import NamedTuple

from feedback.exchange.pictures.bases import for_reader, is_of_other_base
from feedback.exchange.pictures.sources import Entry
from feedback.metadata.bases import base_of_model
from feedback.metadata.found import SDXL, UNKNOWN, Found, Status
from feedback.sample.prompts import clean_prompt
from store.errors import BadRequest

TAKEN = (Status.ok, Status.partial)
LEAST_PX = 8
WORDS = {
    Status.ok: "whose prompt or size cannot be used",
    Status.empty: "without a prompt",
    Status.unrecognised: "with metadata that cannot be read",
    Status.not_sdxl: "of another base than SDXL",
    Status.grid: "grids",
    Status.broken: "damaged or no pictures",
}
NOTHING = "no picture was found"


class Outcome(StrEnum):
    """What became of a picture, or would."""

    new = "new"
    rated_only = "rated only"
    known = "here already"
    refused = "refused"


class Seen(NamedTuple):
    """A picture that was looked at. `found.why` also says why it is refused, or why training leaves it out."""

    entry: Entry
    found: Found
    pixels_sha256: str
    outcome: Outcome


class Terms(NamedTuple):
    """What decides whether training takes a picture: the store's size, and the weight of those that another base drew.

    No size: the store has drawn nothing yet, and every size passes. No weight: other SDXL checkpoints are only rated,
    and pictures of other kinds of model are refused.
    """

    size: tuple[int, int] | None
    other_bases: float = 0.0


@dataclass
class Report:
    """How many pictures came in, and what became of the others."""

    new: int = 0
    left_out: int = 0
    known: int = 0
    refused: Counter[Status] = field(default_factory=Counter)

    def count(self, outcome: Outcome, status: Status) -> None:
        """Counts one more picture."""
        if outcome is Outcome.refused:
            self.refused[Status.ok if status is Status.partial else status] += 1
        elif outcome is Outcome.known:
            self.known += 1
        else:
            self.new += 1
            self.left_out += outcome is Outcome.rated_only

    @property
    def total(self) -> int:
        """How many pictures were looked at or known without a look."""
        return self.new + self.known + self.refused.total()

    @property
    def rows(self) -> Sequence[tuple[int, str]]:
        """A number and what it counts, for each that is not zero."""
        rows = [(self.new, f"new, to be rated, of which {self.left_out:,} will not be trained on")]
        rows += [(self.known, "here already")]
        rows += [(self.refused[status], f"refused: {words}") for status, words in WORDS.items()]
        return [row for row in rows if row[0]]

    @property
    def words(self) -> str:
        """The summary, one line for each that is not zero."""
        return "\n".join(f"{count:>9,}  {words}" for count, words in self.rows) or NOTHING


def left_out(found: Found, known: dict[str, str], terms: Terms) -> str:
    """Why training leaves a picture out by default; empty: it takes it."""
    if found.marks:
        return found.why
    if found.base == UNKNOWN:
        return _say_base(found)
    if is_of_other_base(found, known) and not terms.other_bases:
        kind = "SDXL checkpoint" if found.base == SDXL else f"base ({found.base})"
        return (
            f"it was drawn by another {kind} ({found.model or 'not named'}) than this store's base; "
            "NAYSAYER_OTHER_BASES=0.5 trains on it at half weight"
        )
    if terms.size not in (None, (found.width, found.height)):
        return f"it is {found.width}×{found.height}; this store draws and trains at {terms.size[0]}×{terms.size[1]}"
    return ""


def _say_base(found: Found) -> str:
    """What tells the base of a picture that does not tell it itself."""
    if not (name := found.model_hash or found.model):
        return (
            "its metadata name no model, so its base is not known; name one in a list (--mapping, columns file and "
            "model), and its base with --model NAME=sdxl"
        )
    said = quoted(f"{name}=sdxl")
    return f"which base {found.model or name} is of is not known; if it is SDXL, say --model {said}"


def quoted(word: str) -> str:
    """A word as a shell takes it, in quotes also where it needs none: a person sees where a name ends."""
    return quote(word) if "'" in word else f"'{word}'"


def judge(found: Found, known: dict[str, str], terms: Terms) -> tuple[str, Outcome]:
    """What becomes of a picture that is not here yet, and why it is refused or left out of training."""
    if why := refusal(found, terms):
        return why, Outcome.refused
    why = left_out(found, known, terms)
    return why, Outcome.rated_only if why else Outcome.new


def judge_again(seen: Seen, known: dict[str, str], terms: Terms) -> Seen:
    """The same picture with what is known of models now; the file is not read again."""
    found = seen.found
    if seen.outcome is Outcome.known or found.status not in TAKEN:
        return seen
    if found.base == UNKNOWN:
        base = base_of_model(found.model, found.model_hash, for_reader(known))
        found = replace(found, base=base)
        if base not in (SDXL, UNKNOWN):
            found = replace(found, status=Status.not_sdxl, why=f"its base is {base}, not SDXL")
    why, outcome = judge(found, known, terms)
    return seen._replace(found=replace(found, why=why), outcome=outcome)


def refusal(found: Found, terms: Terms) -> str:
    """Why a picture does not come in; empty: it does."""
    if found.status is Status.not_sdxl and found.prompt is not None:
        if not terms.other_bases:
            return f"{found.why}; NAYSAYER_OTHER_BASES=0.5 takes it in, and trains on it at half weight"
    elif found.status not in TAKEN:
        return found.why
    if min(found.width, found.height) < LEAST_PX:
        return f"it is {found.width}×{found.height} pixels, too small to judge; {LEAST_PX} a side are needed"
    try:
        clean_prompt(found.prompt or "")
    except BadRequest as error:
        return str(error)
    return ""
