import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from feedback.sample.prompts import (
    MAX_CHARACTERS,
    add_prompts,
    import_prompts,
    list_imports,
    list_prompts,
    read_prompt_file,
)
from store.errors import BadRequest


def texts(engine: Engine) -> list[str]:
    return [prompt.text for prompt in list_prompts(engine)]


def test_prompts_are_kept_in_order_and_once(any_engine: Engine) -> None:
    assert add_prompts(any_engine, ["b", "a", "b", "  a "], source="list") == 2
    assert add_prompts(any_engine, ["c", "a"]) == 1
    assert texts(any_engine) == ["b", "a", "c"]
    assert [prompt.source for prompt in list_prompts(any_engine)] == ["list", "list", ""]


def test_blank_lines_are_passed_over_and_a_prompt_has_one_line(any_engine: Engine) -> None:
    assert add_prompts(any_engine, ["", " \t", "\ufeff", "a  red\tstar\n"]) == 1
    assert texts(any_engine) == ["a  red star"]


def test_prompts_that_differ_in_spaces_or_accents_form_are_one(any_engine: Engine) -> None:
    assert add_prompts(any_engine, ["a café ", "a  cafe\u0301", "\u200ba café"]) == 1
    assert add_prompts(any_engine, ["a cafe\u0301", "A café"]) == 1
    assert texts(any_engine) == ["a café ", "A café"]


@pytest.mark.parametrize("bad", ["x" * (MAX_CHARACTERS + 1), "a\0b", "a\x1b[31mb", "a\x1fb", "\x9b", "\ud800"])
def test_one_bad_prompt_means_that_none_is_added(bad: str, engine: Engine) -> None:
    with pytest.raises(BadRequest):
        add_prompts(engine, ["a good one", bad])
    assert texts(engine) == []


@pytest.mark.parametrize(
    "text",
    [
        "x" * MAX_CHARACTERS,
        "'; DROP TABLE prompt; --",
        "<script>alert(1)</script>",
        "%s {0} 星 🌟 ",
        "../../etc",
        "\u202eabc",
    ],
)
def test_a_prompt_is_kept_as_it_was_written(text: str, engine: Engine) -> None:
    assert add_prompts(engine, [text]) == 1
    assert texts(engine) == [text]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('"a"\n\n"b\\u0000c"\n', r"a\.jsonl, line 3: the prompt 'b\\x00c' holds the control character U\+0000"),
        ('"\\ud83d"\n', r"line 1: .* U\+D83D"),
        ('"a"\n""\n', "line 2: the prompt '' is empty"),
        (f'"a"\n"{"x" * (MAX_CHARACTERS + 1)}"\n', "line 2: .* has 2,001 characters, 2,000 are allowed"),
        ('"a"\n{"text": "b"}\n', "line 2: there is no `prompt`"),
        ('"a"\n{"prompt": null}\n', "line 2: there is no `prompt`"),
        ('"a"\n{"prompt": 3}\n', "line 2: the prompt 3 is no text"),
        ('"a"\n{"prompt": true}\n', "line 2: the prompt True is no text"),
    ],
)
def test_a_bad_prompt_is_named_with_its_line(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(BadRequest, match=why):
        read_prompt_file(path)


def test_a_short_row_lacks_its_prompt(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("seed,prompt\n1\n")
    with pytest.raises(BadRequest, match="line 2: there is no `prompt`"):
        read_prompt_file(tmp_path / "a.csv")


@pytest.mark.skipif("NAYSAYER_REALDATA" not in os.environ, reason="NAYSAYER_REALDATA is not set")
def test_the_parti_prompts_are_kept_byte_for_byte(engine: Engine) -> None:
    path = Path(os.environ["NAYSAYER_REALDATA"]) / "prompts" / "PartiPrompts.tsv"
    wanted = [line.split("\t")[0] for line in path.read_text(encoding="utf-8").split("\n")[1:] if line]
    assert import_prompts(engine, [one.text for one in read_prompt_file(path)], "parti").new == 1632
    assert texts(engine) == wanted


@pytest.mark.timeout(60)
def test_a_long_list_given_again_with_more_is_imported_at_once(engine: Engine) -> None:
    texts = [f"a red star, number {n}" for n in range(9000)]
    assert import_prompts(engine, texts[:6000], "first").new == 6000
    assert import_prompts(engine, texts[3000:], "second").new == 3000
    assert [prompt.text for prompt in list_prompts(engine)] == texts
    assert [row.active for row in list_imports(engine)] == [6000, 3000]
