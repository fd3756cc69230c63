"""The dataset card: what the export holds, how far raters agree, who they are, under which licence."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from feedback.exchange.outgoing.chosen import Chosen, Wanted
from feedback.people.agreement import ac1, alpha, percent_agreement
from feedback.pool.verdicts import Outcome
from store.phrases import plural

LICENCES = {"builtin": "apache-2.0", "stabilityai/stable-diffusion-xl-base-1.0": "openrail++"}
SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass
class Held:
    """What was written so far; `lost` pictures were left out, because their file is missing or altered."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    presses: Counter[str] = field(default_factory=Counter)
    prompts: set[str] = field(default_factory=set)
    pairs: int = 0
    lost: int = 0

    def add(self, one: Chosen) -> None:
        """Counts a picture with its votes."""
        self.outcomes[one.outcome] += 1
        self.counts[one.rejects, one.keeps] += 1
        self.presses.update(vote.rater for vote in one.votes)
        self.prompts.add(one.prompt)

    @property
    def pictures(self) -> int:
        return self.outcomes.total()

    @property
    def votes(self) -> int:
        """Votes that count (`feedback.pool.counts`); `presses` also has skips, and what was changed or undone."""
        return sum((rejects + keeps) * n for (rejects, keeps), n in self.counts.items())


def dataset_card(held: Held, base: str, wanted: Wanted) -> str:
    """Markdown with the front matter that the Hub and `datasets` read."""
    pictures, outcomes = held.pictures, held.outcomes
    rows = {
        "pictures": f"{pictures:,}",
        "rejected / kept / tied": " / ".join(
            f"{outcomes[one]:,}" for one in (Outcome.reject, Outcome.keep, Outcome.disputed)
        ),
        "prompts": f"{len(held.prompts):,}",
        "votes that count": f"{held.votes:,}",
        "lines of `votes.jsonl`": f"{held.presses.total():,}",
        "raters": f"{len(held.presses):,}",
        "pairs": f"{held.pairs:,}",
        "drawn with": f"`{base_name(base)}`",
        **_agreement(held),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
{_front(pictures, base)}
---

# Pictures rated with Naysayer

People looked at pictures of Stable Diffusion XL and rejected or kept each, without knowing which version had drawn it.

| | |
| --- | --- |
{table}

## Files

{_files(held, wanted)}

Reasons and marks are those of the current rejects. A mark is a point, as shares of width and height (0 to 1); in Label
Studio's file it is in percent. Votes of excluded raters are left out. In CSV a text that a spreadsheet would compute
begins with an apostrophe.

## Raters

{_raters(held, wanted)}

## Licence

{_licence(base)}
{_lost(held)}"""


def base_name(base: str) -> str:
    """The base model as others know it: of a local path only its last part.

    >>> base_name("/home/ann/secret/model.safetensors"), base_name("org/model")
    ('model.safetensors', 'org/model')
    """
    return Path(base).name if Path(base).is_absolute() or base.startswith(("~", ".")) or base.count("/") > 1 else base


def _front(pictures: int, base: str) -> str:
    """One configuration, the pictures: `datasets` reads all those of a folder alike, and the pairs are another kind."""
    size = next((size for most, size in SIZES if pictures < most), "n>1M")
    lines = ["pretty_name: Pictures rated with Naysayer", f"license: {LICENCES.get(base, 'unknown')}"]
    lines += ["task_categories:", "- text-to-image", "size_categories:", f"- {size}"]
    lines += ["tags:", "- human-feedback", "- stable-diffusion-xl", "- naysayer"]
    lines += ["configs:", "- config_name: default", "  data_files:", "  - split: train", "    path:"]
    return "\n".join([*lines, "    - train/*/*.png", "    - train/metadata.jsonl"])


def _agreement(held: Held) -> dict[str, str]:
    counts = list(held.counts.elements())
    found = {"Gwet's AC1": ac1(counts), "Krippendorff's alpha": alpha(counts)}
    agreed = percent_agreement(counts)
    if agreed is None:
        return {"agreement": "no picture has two votes"}
    figures = {name: f"{value:.2f}" for name, value in found.items() if value is not None}
    return {"pairs of votes on a picture that agree": f"{agreed:.0%}", **figures}


def _files(held: Held, wanted: Wanted) -> str:
    pairs = (
        "`pairs/*.parquet`",
        "a kept and a rejected picture of one prompt, as Pick-a-Pic has them",
        "Diffusion-DPO",
    )
    files = [
        ("`train/` with `metadata.jsonl`", "the pictures; `label` 1 keep, 0 reject, empty for a tie", "`datasets`"),
        ("`metadata.csv`", "the same table for the folder above `train`", "Diffusion-KTO, spreadsheets"),
        *([pairs] if held.pairs else []),
        ("`votes.jsonl`", "every press, oldest first for each picture", "`naysayer import votes`"),
        ("`label-studio.json`, `.xml`", "tasks with annotations, and the interface for them", "Label Studio"),
    ]
    files += [("`shards/*.tar`", "the pictures, captions and lines of the table", "WebDataset")] * wanted.has_shards
    return "\n".join(f"| {' | '.join(row)} |" for row in [("file", "what it holds", "for"), ("---",) * 3, *files])


def _raters(held: Held, wanted: Wanted) -> str:
    who = (
        "under their names" if wanted.has_names else "under pseudonyms, which stay the same in every export of a store"
    )
    lines = "\n".join(f"- {rater}: {plural(n, 'line')}" for rater, n in sorted(held.presses.items()))
    return f"Raters stand here {who}.\n\n{lines}"


def _licence(base: str) -> str:
    if base in LICENCES:
        return (
            f"The base model `{base}` has the licence {LICENCES[base]}; its terms may bind what is drawn with it, too."
        )
    return (
        f"Naysayer does not know the licence of the base model `{base_name(base)}`; look it up, and set `license` "
        "above before you publish."
    )


def _lost(held: Held) -> str:
    if not held.lost:
        return ""
    return f"\n{plural(held.lost, 'picture')} left out, because the file is lost or altered in the store.\n"
