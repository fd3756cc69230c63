import re

from trainer.world.scenes import all_scenes, phrasings, read_prompt
from ui.dashboard.playground.vocabulary import EXAMPLES, KNOWN, unknown_words


def test_the_known_words_are_those_of_every_prompt_that_the_model_was_taught():
    taught = {word for scene in all_scenes() for text in phrasings(scene) for word in re.findall(r"\w+", text.lower())}
    assert taught == KNOWN


def test_every_example_can_be_drawn():
    assert [unknown_words(text) for text in EXAMPLES] == [[]] * len(EXAMPLES)
    assert all(read_prompt(text) for text in EXAMPLES)
