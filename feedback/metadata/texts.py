"""The texts of a picture, as programs use them: alone, or as bags of named values."""

from collections.abc import Iterator, Sequence
from typing import Any

from feedback.metadata.found import RawText
from feedback.metadata.values import as_dict, as_text

ALONE = (
    "parameters",
    "UserComment",
    "xmp:UserComment",
    "stealth",
    "comment",
    "Comment",
    "XPComment",
    "xmp:parameters",
    "xmp:Parameters",
    "ImageDescription",
    "Description",
    "xmp:description",
    "DocumentName",
    "sidecar.txt",
)
"""Where a program's whole text may stand, the likeliest first."""


class Texts:
    """What a file says. `own` are its keywords and tags; each JSON object among them is one more bag."""

    def __init__(self, raw: Sequence[RawText]) -> None:
        self.own: dict[str, Any] = {}
        for place, text in raw:
            self.own.setdefault(place, text)
        self.bags = [self.own, *self._inner()]

    def _inner(self) -> Iterator[dict[str, Any]]:
        for place in (*ALONE, "sidecar.swarm.json", "sidecar.json", "parameters-json", "sidecar.log"):
            if found := as_dict(self.own.get(place)):
                yield found

    def alone(self) -> Iterator[tuple[str, str]]:
        """Place and text of each that may be a program's whole text and is no JSON object."""
        for place in ALONE:
            text = as_text(self.own.get(place))
            if text and not as_dict(text):
                yield place, text

    def value(self, *keys: str) -> Any:
        """The first value under one of the keys, in any bag."""
        return next((bag[key] for bag in self.bags for key in keys if bag.get(key) not in (None, "")), None)

    def object(self, *keys: str) -> dict[str, Any]:
        """The first JSON object under one of the keys, in any bag."""
        return next((found for bag in self.bags for key in keys if (found := as_dict(bag.get(key)))), {})
