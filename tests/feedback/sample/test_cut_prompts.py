import pytest
from sqlalchemy import Engine, event

from feedback.sample.cut_prompts import (
    MOST_TOKENS,
    count_read,
    cut_prompts,
    cut_sentence,
    first_missed,
    has_uncounted,
    is_surely_read,
)
from feedback.sample.evaluation import import_set
from feedback.sample.prompts import import_prompts, list_prompts
from feedback.sample.setting_aside import Change, Which, change_prompts
from feedback.sample.work import Job
from store.tables import Prompt

LONG = "a red star above a blue hand " * 4


@pytest.mark.parametrize(
    ("text", "is_sure"),
    [
        ("x" * MOST_TOKENS, True),
        ("x" * (MOST_TOKENS + 1), False),
        ("星" * 25, True),
        ("星" * 26, False),
        ("İ" * 30, False),
    ],
)
def test_a_text_is_surely_read_when_its_bytes_are_few_enough(text: str, is_sure: bool) -> None:
    assert is_surely_read(text) is is_sure


@pytest.mark.parametrize(
    ("text", "read", "word"),
    [
        ("a red star", 10, ""),
        ("a red star ", 10, ""),
        ("a red star", 8, "star"),
        ("a red star", 6, "star"),
        ("a red star", 5, "star"),
        ("a red star", 0, "a"),
        ("abcdef", 3, "abcdef"),
        ("a  red", 1, "red"),
        ("a red star", None, ""),
    ],
)
def test_the_first_word_that_is_not_read_whole_is_named(text: str, read: int | None, word: str) -> None:
    assert first_missed(Prompt(text=text, read_characters=read)) == word


def test_long_prompts_are_counted_once_and_short_ones_never(any_engine: Engine) -> None:
    number = import_prompts(any_engine, ["a cup", LONG], "list").number or 0
    assert has_uncounted(any_engine, number)
    asked: list[str] = []

    def half(text: str) -> int:
        asked.append(text)
        return len(text) // 2

    for _ in range(2):
        count_read(any_engine, half)
    assert asked == [LONG]
    assert not has_uncounted(any_engine, number)
    assert [prompt.read_characters for prompt in list_prompts(any_engine)] == [5, len(LONG) // 2]


def test_only_prompts_in_use_are_called_cut(any_engine: Engine) -> None:
    first = import_prompts(any_engine, [LONG], "one").number
    import_prompts(any_engine, ["b " + LONG], "two")
    import_set(any_engine, "mine", [Job("c " + LONG, 1)])
    count_read(any_engine, lambda text: 30)
    assert [prompt.text for prompt in cut_prompts(any_engine)] == [LONG, "b " + LONG]
    assert [prompt.text for prompt in cut_prompts(any_engine, first)] == [LONG]
    change_prompts(any_engine, Which(number=first), Change.remove)
    assert [prompt.text for prompt in cut_prompts(any_engine)] == ["b " + LONG]


def test_the_sentence_names_three_prompts_and_counts_the_others() -> None:
    cut = [Prompt(text=f"{word} star", read_characters=len(word)) for word in ("red", "blue", "green", "grey", "pink")]
    assert cut_sentence(cut) == (
        "the model does not read 5 prompts to their end (it stops before 'star' in 'red star', before 'star' in "
        "'blue star', before 'star' in 'green star', and 2 more); shorten them"
    )
    assert cut_sentence([]) == ""


def test_votes_get_their_turn_between_the_portions_of_a_long_list(engine: Engine) -> None:
    import_prompts(engine, [f"{LONG} {n}" for n in range(1200)], "long")
    turns: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: turns.append(call[2]))
    count_read(engine, len)
    assert sum(said == "BEGIN IMMEDIATE" for said in turns) == 3
    assert {prompt.read_characters for prompt in list_prompts(engine)} == {
        len(f"{LONG} {n}") for n in (1, 10, 100, 1000)
    }
