import pytest

from ui.dashboard.setup.rows import MOST_CHOSEN, Pressed, numbers_of, pressed_of


def test_a_button_names_its_action_and_its_rows():
    assert pressed_of({"do": "pause", "ids": ["3", 4], "at": 1}) == Pressed("pause", ["3", "4"])
    assert numbers_of(Pressed("pause", ["3", "x", "-1", "²", "9" * 12])) == [3]


@pytest.mark.parametrize(
    "sent", [None, [], "pause", {}, {"do": 1, "ids": []}, {"do": "pause"}, {"do": "x", "ids": "3"}]
)
def test_what_is_no_press_of_a_button_does_nothing(sent):
    assert pressed_of(sent) is None


def test_nobody_chooses_more_rows_than_a_page_can_show():
    pressed = pressed_of({"do": "pause", "ids": ["1"] * (MOST_CHOSEN + 1)})
    assert pressed is not None
    assert len(pressed.ids) == MOST_CHOSEN
