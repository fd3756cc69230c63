"""What a text file looks like when it is no list of prompts, and what in a prompt only another program understands."""

import re
from collections.abc import Sequence
from typing import NamedTuple

Lines = Sequence[tuple[int, str]]
"""Lines of a file that are not blank, each after its number."""


class LooksLike(NamedTuple):
    """A kind of file, the line that shows it, and what to do."""

    line: int
    kind: str
    advice: str


TAGS = "html|head|body|title|div|p|ul|ol|li|table|tr|td|br|span|pre"
ANYWHERE = (
    (
        "JSON",
        "give it the ending .json or .jsonl",
        r'\s*([\[{]\s*(["{\[]|$)|[\]}],?\s*$|"[^"]*"\s*:|"([^"\\]|\\.)*",\s*$)',
    ),
    ("HTML or XML", "save only its text", rf"\s*(<!doctype|<\?xml|<!--|</?({TAGS})\b[^:]*>)"),
    ("YAML", "save it as .json", r'\s*(---\s*$|%YAML|(- )?["\']?(negative[ _])?prompts?["\']?\s*:(\s|$))'),
    ("Markdown", "save only its text", r"\s*(```|~~~|\|.*\|\s*$|#{2,6}\s|!?\[[^\]]*\]\([^)]*\))"),
    ("a table", "give it the ending .tsv", r".*\S *\t\s*\S"),
)
ON_TOP = (
    ("a table", "give it the ending .csv or .tsv", r'(.*[\t,;|])?\s*["\']?prompts?["\']?\s*([\t,;|].*)?$'),
    ("YAML", "save it as .json", r"[\w-]+:\s*$"),
    ("RTF", "save it as plain text", r"\{\\rtf"),
    ("a Git LFS pointer", "fetch the file itself with `git lfs pull`", r"version https://git-lfs"),
)
MARKED = re.compile(r"\s*([-*+•‣]|\(?\d+[.):])\s")
WEIGHTS = re.compile(
    r"""
    \([^()]*:\s*[\d.]+\s*\) | \(\( | \)\)     # (word:1.3), ((word))
    | \[[^\[\]]*\]
    | \bBREAK\b
    """,
    re.VERBOSE,
)
FOREIGN = re.compile(
    r"""
    <(?i:lora|lyco|hypernet|embedding):[^>]*>
    | \[[^\[\]]*[:|][^\[\]]*\]                # [from:to:0.5], [red|green]
    | \{[^{}]*\|[^{}]*\}                      # {red|green}
    | __[\w/*-]+__                            # wildcards
    | (?<!\S)--\w[\w-]*                       # --negative_prompt, --ar
    | \bembedding:\w+
    | ^\s*(\#|//)                             # comments
    | ^\s*(Negative\ prompt:|Steps:\ \d)
    """,
    re.VERBOSE,
)


def looks_like(lines: Lines) -> LooksLike | None:
    """What the lines are, where they are no list of prompts."""
    for place, (number, line) in enumerate(lines):
        for kind, advice, pattern in (*ANYWHERE, *(ON_TOP if place == 0 else ())):
            if re.match(pattern, line.lstrip("\ufeff"), re.IGNORECASE):
                return LooksLike(number, kind, advice)
    marked = [bool(MARKED.match(line)) for _, line in lines if not line.startswith("#")]
    if len(marked) > 1 and all(marked):
        return LooksLike(lines[0][0], "a list with bullets or numbers", "take them out")
    return None


def foreign_syntax(prompt: str, *, is_weighted: bool) -> str:
    """The first piece of a prompt that another program takes for a command and the model for words; empty without.

    With `is_weighted`, weights and BREAK are no such piece.
    """
    found = [one for kind in (FOREIGN, WEIGHTS)[: 1 if is_weighted else 2] if (one := kind.search(prompt))]
    return min(found, key=re.Match.start)[0].strip() if found else ""
