"""When two texts are the same: the rules for prompts and for the names of raters."""

import re
import unicodedata

BREAKS = "\t\n\v\f\r\x85\u2028\u2029"
EDGES = BREAKS + "\ufeff\u200b"  # a byte-order mark and a zero-width space come along when text is copied
BREAK = re.compile(f" *[{BREAKS}][ {BREAKS}]*")
SPACES = re.compile(r"[^\S\x1c-\x1f]+")
IGNORED = re.compile("[\u034f\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def on_one_line(text: str) -> str:
    """The text in NFC on one line, otherwise as it was written.

    >>> on_one_line("\\ufeffa red fox\\r\\nin  the snow\\n")
    'a red fox in  the snow'
    """
    return BREAK.sub(" ", unicodedata.normalize("NFC", text).strip(EDGES))


def with_single_spaces(text: str) -> str:
    """The text in NFC with single spaces and none at its ends: two prompts are one when they agree in this."""
    return SPACES.sub(" ", on_one_line(text)).strip(" ")


def find_control(text: str) -> str:
    """The first control character or half surrogate pair, as "U+0007"; empty without one.

    Everything else may stand in a text: joiners and marks of direction belong to many scripts.
    """
    return next((f"U+{ord(one):04X}" for one in text if unicodedata.category(one) in ("Cc", "Cs")), "")


def name_key(name: str) -> str:
    """What two names of one person have in common: neither case, nor width, nor invisible characters count.

    Unicode's NFKC_Casefold. Letters of two scripts that look alike stay different, as they do in every dictionary.

    >>> name_key("Jose\\u0301  LÓPEZ") == name_key("josé lópez")
    True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).casefold()
    kept = "".join(one for one in folded if unicodedata.category(one) != "Cf")
    return with_single_spaces(IGNORED.sub("", unicodedata.normalize("NFKC", kept)))
