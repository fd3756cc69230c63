from itertools import combinations
from math import dist

from trainer.world.palette import BACKGROUNDS, COLOURS, INK, MIST, WASH, edge, mix


def test_a_mix_goes_from_one_colour_to_the_other():
    assert [mix((0, 100, 200), (100, 0, 201), share) for share in (0, 0.25, 1)] == [
        (0, 100, 200),
        (25, 75, 200),
        (100, 0, 201),
    ]


def test_an_outline_is_darker_than_its_fill():
    assert all(sum(edge(colour)) < sum(colour) for colour in COLOURS.values())


def test_no_two_colours_or_backgrounds_are_easily_confused():
    everything = [*COLOURS.values(), *BACKGROUNDS.values()]
    assert min(dist(a, b) for a, b in combinations(COLOURS.values(), 2)) > 60
    assert min(dist(a, b) for a, b in combinations(BACKGROUNDS.values(), 2)) > 25
    assert min(dist(colour, INK) for colour in everything) > 60


def test_washed_colours_can_still_be_told_apart():
    washed = [mix(colour, MIST, WASH) for colour in COLOURS.values()]
    assert min(dist(a, b) for a, b in combinations(washed, 2)) > 20
