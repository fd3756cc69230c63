from feedback.figures.summary import GridPair
from ui.dashboard.compare import grid_data
from ui.web.pictures import image_url


def test_a_grid_holds_no_picture_where_a_version_has_not_drawn():
    pairs = [GridPair("a red star", 7, {0: "a" * 64}, {0: "reject"}), GridPair("not of these", 8, {5: "b" * 64})]
    data = grid_data(pairs, [0, 1], 0)
    [pair] = data["pairs"]
    assert pair["pictures"] == {"0": {"url": image_url("a" * 64), "outcome": "reject"}}
    assert data["names"] == {"0": "v0 (base, champion)", "1": "v1"}
