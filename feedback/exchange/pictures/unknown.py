"""Models whose base nobody said, and the one command that says it of all of them."""

from collections import Counter
from pathlib import Path
from shlex import quote

from feedback.exchange.pictures.outcome import Outcome, Seen, quoted
from feedback.metadata.found import UNKNOWN
from store.phrases import plural


class Unknown:
    """Such models, and how many pictures name each."""

    def __init__(self) -> None:
        self.pictures = Counter[str]()

    def count(self, seen: Seen) -> None:
        """Counts a picture that only this keeps out of training, and that names its model."""
        found = seen.found
        if seen.outcome is Outcome.rated_only and found.base == UNKNOWN and not found.marks:
            self.pictures.update(filter(None, [found.model_hash or found.model]))

    def advice(self, source: Path) -> str:
        """What to type, the commonest model first; empty where there is nothing to say."""
        if not self.pictures:
            return ""
        said = " ".join(f"--model {quoted(f'{name}=sdxl')}" for name, _ in self.pictures.most_common())
        one = len(self.pictures) == 1
        return (
            f"which base {'a model is' if one else f'{len(self.pictures):,} models are'} of is not known, so "
            f"{plural(self.pictures.total(), 'picture')} will not be trained on. {'If it is' if one else 'If all are'} "
            f"SDXL, say so once; leave out or change what is not:\n"
            f"  naysayer import pictures {quote(str(source))} {said}"
        )
