from pathlib import Path

import pytest
from sqlalchemy import Engine

from feedback.sample.prompts import MAX_CHARACTERS, add_prompts, list_prompts, read_prompt_file
from store.errors import BadRequest


def texts(engine: Engine) -> list[str]:
    return [prompt.text for prompt in list_prompts(engine)]


def test_prompts_are_kept_in_order_and_once(any_engine: Engine) -> None:
    assert add_prompts(any_engine, ["b", "a", "b", "  a "], source="list") == 2
    assert add_prompts(any_engine, ["c", "a"]) == 1
    assert texts(any_engine) == ["b", "a", "c"]
    assert [prompt.source for prompt in list_prompts(any_engine)] == ["list", "list", ""]


def test_blank_lines_are_passed_over_and_spaces_are_single(any_engine: Engine) -> None:
    assert add_prompts(any_engine, ["", " \t", "a  red\tstar\n"]) == 1
    assert texts(any_engine) == ["a red star"]


@pytest.mark.parametrize("bad", ["x" * (MAX_CHARACTERS + 1), "a\0b", "a\x1b[31mb", "\u202eevil", "\ud800"])
def test_one_bad_prompt_means_that_none_is_added(bad: str, engine: Engine) -> None:
    with pytest.raises(BadRequest):
        add_prompts(engine, ["a good one", bad])
    assert texts(engine) == []


@pytest.mark.parametrize(
    "text", ["x" * MAX_CHARACTERS, "'; DROP TABLE prompt; --", "<script>alert(1)</script>", "%s {0} 星 🌟", "../../etc"]
)
def test_a_prompt_is_kept_as_it_was_written(text: str, engine: Engine) -> None:
    assert add_prompts(engine, [text]) == 1
    assert texts(engine) == [text]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", "a red star\n\n  \na blue hand\n"),
        ("p.tsv", "Prompt\tseed\na red star\t1\na blue hand\t2\n"),
        ("p.csv", 'seed,PROMPT\n1,"a red star"\n2,a blue hand\n'),
        ("p.jsonl", '{"prompt": "a red star"}\n\n{"seed": 1, "prompt": "a blue hand"}\n'),
        ("p.TXT", "\ufeffa red star\r\na blue hand\r\n"),
    ],
)
def test_a_file_of_each_kind_is_read(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_prompt_file(path) == ["a red star", "a blue hand"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", b"\xff\xfe\x00"),
        ("p.tsv", b"text\na red star\n"),
        ("p.csv", b"seed,prompt\n1\n"),
        ("p.csv", b"prompt\n" + b"x" * 200_000 + b"\n"),
        ("p.jsonl", b'{"prompt": 1}\n'),
        ("p.jsonl", b'["prompt"]\n'),
        ("p.jsonl", b"3\n"),
        ("p.jsonl", b"{\n"),
        ("p.jsonl", b"[" * 100_000),
    ],
)
def test_a_file_without_prompts_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest, match="nothing was imported"):
        read_prompt_file(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nothing was imported"):
        read_prompt_file(tmp_path / "absent.txt")
