import pytest

from feedback.figures.prompts import PromptFilter, PromptOrder, prompt_page
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.prompts import PromptState, add_prompts
from feedback.sample.setting_aside import Change, Which, change_prompts
from store.tables import Origin, Verdict

ALL = PromptFilter(None)


@pytest.fixture
def rated(any_engine, fill):
    """Two pictures of each of three prompts; those of the red star are rejected, one of the blue hand is kept."""
    fill(any_engine, 6)
    fill(any_engine, 3, origin=Origin.evaluation)
    for shown in next_images(any_engine, "ada", Terms(1, 600), count=6):
        verdicts = {"a red star": Verdict.reject, "a blue hand": Verdict.keep}
        if verdict := verdicts.get(shown.prompt):
            record_votes(any_engine, "ada", [Press(f"press-{shown.image_id}", shown.image_id, verdict)], Terms(1, 600))
    return any_engine


def test_each_prompt_says_what_was_drawn_from_it_and_how_much_was_rejected(rated):
    found = {row.text: (row.drawn, row.judged, row.rejected) for row in prompt_page(rated, ALL, 0, 50).rows}
    assert found == {"a red star": (3, 2, 2), "a blue hand": (3, 2, 0), "a green word": (3, 0, 0)}


def test_the_worst_prompt_comes_first_and_one_without_votes_in_the_middle(rated):
    worst = prompt_page(rated, PromptFilter(None, "", PromptOrder.rejected), 0, 50).rows
    assert [row.text for row in worst] == ["a red star", "a green word", "a blue hand"]


def test_prompts_are_found_by_state_and_words_and_given_by_the_page(rated):
    change_prompts(rated, Which(["a blue hand"]), Change.pause)
    change_prompts(rated, Which(["a green word"]), Change.remove)
    used, paused = PromptFilter(), PromptFilter(PromptState.paused)
    assert [row.text for row in prompt_page(rated, used, 0, 50).rows] == ["a red star"]
    assert [row.text for row in prompt_page(rated, paused, 0, 50).rows] == ["a blue hand"]
    assert [row.text for row in prompt_page(rated, PromptFilter(None, "HAND"), 0, 50).rows] == ["a blue hand"]
    assert prompt_page(rated, PromptFilter(None, "\0"), 0, 50).found == 3
    assert prompt_page(rated, PromptFilter(None, "100%"), 0, 50).found == 0
    second = prompt_page(rated, ALL, 1, 2)
    assert ([row.text for row in second.rows], second.found) == (["a red star"], 3)
    assert second.counts == {"in use": 1, "paused": 1, "removed": 1, "only evaluated": 0}


def test_a_long_list_is_one_page_in_few_queries(engine):
    add_prompts(engine, [f"prompt {number}" for number in range(120)])
    assert len(prompt_page(engine, ALL, 0, 50).rows) == 50
    assert len(prompt_page(engine, ALL, 2, 50).rows) == 20
