"""How counts are said, in every message and on every page."""


def plural(n: int, word: str) -> str:
    """
    >>> plural(1, "vote"), plural(1200, "vote")
    ('1 vote', '1,200 votes')
    """
    return f"{n:,} {word}{'' if n == 1 else 's'}"
