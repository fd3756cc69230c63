import pytest

from feedback.figures.summary import VersionRow
from feedback.gate.gate import Conclusion
from tests.ui.dashboard.conftest import row
from ui.dashboard.best import best_words

BASE = row(0, 44, 100)
LIVE = row(3, 20, 100, "champion")


@pytest.mark.parametrize(
    ("rows", "challenge", "words"),
    [
        ([], None, ""),
        ([row(0, 4, 10, "champion")], None, "The plain base is in use; no version has replaced it."),
        ([BASE, LIVE], None, "v3, the champion, beats the base: 20 % rejects, the base 44 %."),
        (
            [BASE, row(3, 40, 100, "champion")],
            None,
            "v3 is the champion; whether it beats the base is not known yet: 40 % rejects, the base 44 %.",
        ),
        (
            [BASE, row(3, 90, 100, "champion")],
            None,
            "v3 is the champion, but worse than the base: 90 % rejects, the base 44 %.",
        ),
        ([BASE, row(3, 0, 0, "champion")], None, "v3 is the champion; whether it beats the base is not known yet."),
        (
            [BASE, row(1, 18, 100), row(2, 15, 100), LIVE],
            None,
            "v3, the champion, beats the base: 20 % rejects, the base 44 %. v1 and v2 cannot be told apart from it.",
        ),
        (
            [BASE, row(1, 2, 100), row(2, 15, 100), LIVE],
            None,
            "v3, the champion, beats the base: 20 % rejects, the base 44 %. v1 has fewer rejects than it.",
        ),
        (
            [BASE, LIVE, row(4, 0, 0, "challenger")],
            (4, Conclusion.not_yet_known),
            "v3, the champion, beats the base: 20 % rejects, the base 44 %. "
            "Whether v4, the challenger, is better is not known yet.",
        ),
    ],
)
def test_the_first_sentence_names_the_champion_and_what_is_known_of_the_others(
    rows: list[VersionRow], challenge: tuple[int, Conclusion] | None, words: str
) -> None:
    assert best_words(rows, challenge) == words
