import pytest

from trainer.world.drawing import TURNED
from trainer.world.glyphs import LETTERS, flipped, mirrored
from trainer.world.scenes import DETAILS


def rounded(strokes):
    """The strokes as sets of points, whatever their order."""
    return {frozenset((round(x, 6), round(y, 6)) for x, y in stroke) for stroke in strokes}


@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_stays_in_its_box_and_fills_its_height(letter):
    points = [point for stroke in LETTERS[letter] for point in stroke]
    assert all(-1e-9 <= value <= 1 + 1e-9 for point in points for value in point)
    heights = [y for _, y in points]
    assert max(heights) - min(heights) > 0.99


def test_every_word_of_a_sign_can_be_written():
    assert {letter for word in DETAILS["sign"] for letter in word} <= set(LETTERS)


@pytest.mark.parametrize("turn", [mirrored, flipped])
def test_turned_twice_a_letter_is_itself(turn):
    assert rounded(turn(turn(LETTERS["G"]))) == rounded(LETTERS["G"])


@pytest.mark.parametrize(("letter", "turn"), TURNED.items())
def test_a_turned_letter_is_another_mark(letter, turn):
    assert rounded(turn(LETTERS[letter])) != rounded(LETTERS[letter])


def test_a_mirror_changes_sides_and_a_flip_changes_top_and_bottom():
    assert mirrored([[(0.2, 0.3)]]) == [[(0.8, 0.3)]]
    assert flipped([[(0.2, 0.3)]]) == [[(0.2, 0.7)]]
