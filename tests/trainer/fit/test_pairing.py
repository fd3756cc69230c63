from trainer.fit.pairing import is_like, most_like, similarity


def test_a_prompt_is_most_like_itself_whatever_its_case_and_punctuation():
    assert similarity("Two red stars, on mint!", "two red stars on mint") == 1.0
    assert not is_like("Two red stars, on mint!", "two red stars on mint")


def test_prompts_without_a_common_word_are_not_alike_and_empty_ones_raise_nothing():
    assert similarity("a cat", "two dogs") == 0.0
    assert similarity("", "") == 0.0
    assert not is_like("a cat", "two dogs")
    assert not is_like("", "")


def test_the_prompt_that_shares_most_words_comes_first():
    others = ["a sad face with a hat", "two blue stars on a mint background", "two red stars"]
    assert most_like("two red stars on a mint background", others) == others[1]


def test_the_same_prompt_comes_before_all_others():
    prompt = "two red stars on a mint background"
    assert most_like(prompt, ["two red stars on a mint floor", prompt]) == prompt
