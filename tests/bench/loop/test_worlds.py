"""The worlds of the bench: their prompts, their judges, and how a world of one's own is named."""

import re

import pytest
from PIL import Image

from bench.loop.worlds import WORLDS, distinct_prompts, find_world, world_settings
from feedback.policy import promotion_mode, rejects_needed
from store.errors import BadRequest
from store.settings import Settings
from tests.bench.loop.conftest import DRAWN
from trainer import world as drawn

OWN = DRAWN._replace(name="own", model="/models/own")


@pytest.mark.parametrize("name", WORLDS)
def test_a_worlds_prompts_are_distinct_and_new_and_its_subjects_take_turns(name):
    world = find_world(name)
    taken = world.prompts(0, 40, world.subjects, ())
    found = world.prompts(1, 40, world.subjects, taken)
    assert len({*taken, *found}) == 80
    assert found == world.prompts(1, 40, world.subjects, taken)
    pair = (world.unseen.subject, world.unseen.shown_by)
    assert len(set(world.prompts(2, 10, pair, ()))) == 10


@pytest.mark.parametrize("name", WORLDS)
def test_a_worlds_judge_finds_an_empty_picture_wrong(name):
    world = find_world(name)
    for prompt in world.prompts(0, len(world.subjects), world.subjects, ()):
        assert world.judge(Image.new("RGB", (64, 64), "white"), prompt)


def test_the_subjects_of_the_prompts_take_turns():
    assert ["star" in prompt for prompt in distinct_prompts(drawn, 0, 6, ("star", "cat"), ())] == [True, False] * 3


def test_a_world_of_ones_own_is_named_by_its_module():
    assert find_world(f"{__name__}:OWN") is OWN


@pytest.mark.parametrize("name", ["nowhere", "no.such.module:OWN", f"{__name__}:MISSING", f"{__name__}:WORLDS", ":x"])
def test_what_is_no_world_is_refused_in_a_sentence(name):
    with pytest.raises(BadRequest, match=re.escape("--world takes drawn, compositions or package.module:NAME")):
        find_world(name)


def test_a_store_of_any_world_goes_by_the_same_rules():
    settings = Settings(_env_file=None, model_revision="abc")
    ours, own = world_settings(DRAWN, settings), world_settings(OWN, settings)
    assert (own.model, own.model_revision) == ("/models/own", "")
    assert ours.model_revision == "abc"
    for rule in (promotion_mode, rejects_needed):
        assert rule(ours) == rule(own)
    assert ours.auto_retrain is own.auto_retrain is False
