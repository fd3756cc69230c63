import pytest

from feedback.figures.summary import GridPair
from ui.dashboard.versions.compare import grid_data, kind_of
from ui.web.pictures import image_url


def test_the_grid_holds_the_pairs_that_both_versions_have_drawn_the_older_one_left():
    both = GridPair("a red star", 2**40, {2: "a" * 64, 3: "b" * 64}, {2: "reject", 3: "keep"})
    data = grid_data([both, GridPair("drawn by one", 8, {3: "c" * 64})], new=3, old=2)
    [pair] = data["pairs"]
    assert pair == {
        "prompt": "a red star",
        "seed": str(2**40),
        "kind": "better",
        "sides": [
            {"url": image_url("a" * 64), "name": "v2", "said": "rejected"},
            {"url": image_url("b" * 64), "name": "v3", "said": "kept"},
        ],
    }


@pytest.mark.parametrize(("new", "old"), [("unrated", "keep"), ("disputed", "reject"), ("", "")])
def test_a_pair_is_open_until_both_sides_have_a_verdict(new, old):
    assert kind_of(new, old) == "open"
