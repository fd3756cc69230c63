import json
from pathlib import Path

import pytest

from feedback.sample.lists.pairs import read_pairs
from feedback.sample.work import Job
from store.errors import BadRequest


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("pairs.tsv", "prompt\tseed\na red star\t3\n"),
        ("pairs.tsv", "Prompt\tSeed\na red star\t3\n"),
        ("pairs.csv", 'seed,prompt\n3,"a red star"\n'),
        ("pairs.csv", "Seed;Prompt\n 3 ;a red star\n"),
        ("pairs.jsonl", '{"prompt": "a red star", "seed": 3}\n'),
        ("pairs.json", '[{"prompt": "a red star", "Seed": 3}]\n'),
    ],
)
def test_pairs_are_read_from_tables_and_json(name: str, body: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(body)
    assert read_pairs(tmp_path / name) == [Job("a red star", 3)]


@pytest.mark.parametrize("seed", [None, 2.9, 3.0, True, "3", [], {}, -1, 2**53, 2**63 - 1, 10**400, "", "three"])
def test_a_json_seed_is_a_whole_number_that_a_browser_can_hold(seed: object, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"prompt": "a", "seed": 1}}\n{json.dumps({"prompt": "b", "seed": seed})}\n')
    with pytest.raises(BadRequest, match=r"a\.jsonl, line 2: .*seed.*nothing was imported"):
        read_pairs(tmp_path / "a.jsonl")


@pytest.mark.parametrize("seed", ["", "2.9", "1e3", "-1", "+1", "1_000", "３", "true", "9007199254740992", "9" * 400])
def test_a_seed_in_a_table_is_written_in_digits(seed: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(f"prompt\tseed\na\t1\nb\t{seed}\n")
    with pytest.raises(BadRequest, match=r"line 3: .*seed"):
        read_pairs(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    "prompt", [None, "", "  ", "\ufeff", 3, 1.5, True, [], ["a"], {"a": 1}, "a\0b", "\ud800", "x" * 2001]
)
def test_a_prompt_of_a_pair_is_text(prompt: object, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"prompt": "a", "seed": 1}, {"prompt": prompt, "seed": 2}], indent=0))
    with pytest.raises(BadRequest, match=r"line 6: .*prompt"):
        read_pairs(tmp_path / "a.json")


def test_the_largest_seed_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(f"prompt\tseed\na\t{2**53 - 1}\n")
    assert read_pairs(tmp_path / "a.tsv") == [Job("a", 2**53 - 1)]


def test_a_pair_that_comes_again_is_named_with_both_lines(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("prompt\tseed\na cup\t1\na jug\t1\na  cup\t1\n")
    with pytest.raises(BadRequest, match="line 4: the pair of line 2"):
        read_pairs(tmp_path / "a.tsv")


def test_a_list_without_seeds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a cup\n")
    with pytest.raises(BadRequest, match="line 1: there is no `seed`"):
        read_pairs(tmp_path / "a.txt")
