import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from feedback.sample.lists.pairs import read_pairs
from feedback.sample.lists.rows import MAX_BYTES, READERS, file_name, read_rows
from feedback.sample.prompts import read_prompt_file
from store.errors import BadRequest


def read(folder: Path, name: str, content: str | bytes) -> list[tuple[int, object]]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [(row.line, row.fields["prompt"]) for row in read_rows(path)]


TWO = [(1, "a red star"), (3, "a blue hand")]


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.txt", "a red star\n\na blue hand\n", TWO),
        ("a.TXT", "a red star\r\n\r\na blue hand\r\n", TWO),
        ("a.tsv", "Prompt\tseed\na red star\t1\n\na blue hand\t2\n", [(2, "a red star"), (4, "a blue hand")]),
        ("a.csv", "prompt,seed\n\na red star,1\n", [(3, "a red star")]),
        ("a.csv", 'seed,PROMPT \r\n1,"a ""red"" star"\r\n', [(2, 'a "red" star')]),
        ("a.csv", "id;prompt\n1;a red, blue star\n", [(2, "a red, blue star")]),
        ("a.csv", "sep=;\r\nid;prompt\r\n1;a star\r\n", [(3, "a star")]),
        ("a.csv", "id\tprompt\n1\ta star\n", [(2, "a star")]),
        ("a.csv", "id,prompt\r1,a star\r2,a cup\r", [(2, "a star"), (3, "a cup")]),
        ("a.csv", 'id,prompt\n1,"a fox\n\nin snow"\n2,a cup\n', [(2, "a fox\n\nin snow"), (5, "a cup")]),
        ("a.csv", "id,prompt\n1,a star\n,\n,,\n", [(2, "a star")]),
        ("a.csv", 'prompt\n"a star, at night"\n', [(2, "a star, at night")]),
        ("a.csv", 'id,prompt\n1,a 5" pipe\n', [(2, 'a 5" pipe')]),
        ("a.json", '["a red star",\n\n"a blue hand"]', TWO),
        (
            "a.json",
            '[\n {"prompt": "a red\\nstar"},\n {"Prompt": "b", "x": {"prompt": 1}}]\n',
            [(2, "a red\nstar"), (3, "b")],
        ),
        ("a.json", "[]\n".replace("[]", '["a, [b] {c}"]'), [(1, "a, [b] {c}")]),
        ("a.jsonl", '{"prompt": "a red star"}\n\n{"seed": 1, "prompt": "a blue hand"}\n', TWO),
        ("a.ndjson", '"a red star"\n \n"a blue hand"', TWO),
        ("a.jsonlines", '{"prompt": "a\u2028b\u2029c\x85d"}\n', [(1, "a\u2028b\u2029c\x85d")]),
        ("a.txt", "a\u2028b\n\x0bc\x0cd\n", [(1, "a\u2028b"), (2, "\x0bc\x0cd")]),
        ("a.txt", "\ufeffa star\n\ufeff\n\u200b\n", [(1, "a star")]),
    ],
)
def test_lines_and_quotes_follow_the_rules_of_each_format(
    tmp_path: Path, name: str, content: str, rows: list[tuple[int, str]]
) -> None:
    assert read(tmp_path, name, content) == rows


@pytest.mark.parametrize(
    ("cell", "prompt"),
    [
        ('"Stop" sign', '"Stop" sign'),
        ('a "red" cup', 'a "red" cup'),
        ('"a ""red"" cup"', 'a "red" cup'),
        ('"a cup"', "a cup"),
        ('"Stop" and "Go"', '"Stop" and "Go"'),
        ('5" pipe', '5" pipe'),
        ("'tis", "'tis"),
    ],
)
def test_a_tsv_cell_keeps_its_quotes_unless_it_is_wholly_quoted(tmp_path: Path, cell: str, prompt: str) -> None:
    assert read(tmp_path, "a.tsv", f"prompt\tid\n{cell}\t1\nnext\t2\n") == [(2, prompt), (3, "next")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.json", "a.jsonl"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    content = {"a.json": '["a café"]', "a.jsonl": '"a café"\n', "a.txt": "a café\n"}.get(name, "prompt\na café\n")
    assert [prompt for _, prompt in read(tmp_path, name, content.encode(encoding))] == ["a café"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", 'id,prompt\n1,a cup\n2,"a jug\n3,a mug\n', "line 3: this is no CSV row"),
        ("a.csv", 'id,prompt\n1,"Stop" sign\n', "line 2: this is no CSV row"),
        ("a.csv", "id,prompt\n1,a clay jug, on a table\n", "line 2: there are 3 cells under 2 columns"),
        ("a.csv", "a red cup\na blue jug\n", "line 1: the columns are a red cup; exactly one must be `prompt`"),
        ("a.csv", "prompt,Prompt\na,b\n", "line 1: the columns are"),
        ("a.csv", "prompt,seed,seed\na,1,2\n", "line 1: the columns are"),
        ("a.csv", "id,prompt\n1,a cup\n\ufeffid,prompt\n2,a jug\n", "line 3: the header comes again"),
        ("a.csv", "prompt\n" + "x" * 200_000 + "\n", "line 2: this is no CSV row"),
        ("a.tsv", 'prompt\tid\na cup\t1\n"open the door\t2\n', "line 3: the quotation mark before 'open"),
        ("a.tsv", 'prompt\tid\n"a fox\nin snow"\t2\n', "line 2: the quotation mark"),
        ("a.tsv", "prompt,seed\na,1\n", "line 1: the columns are prompt,seed"),
        ("a.tsv", "prompt\tid\ra\t1\r", "line 1: a carriage return"),
        ("a.txt", "a cup\ra jug\r", "line 1: a carriage return"),
        ("a.txt", b"a cup\na caf\xe9\n", "line 2: the byte 0xe9 is no UTF-8"),
        ("a.txt", "a cup\na jug\n".encode("utf-16-le"), "line 1: there is a zero byte"),
        ("a.txt", "a cup".encode("utf-16") + b"\x00", "is no UTF-16"),
        ("a.csv", b"PK\x03\x04 workbook", "an Excel workbook"),
        ("a.txt", b"\x1f\x8b\x08", "a gzip archive"),
        ("a.json", '["a",\n"b"', "line 2: this is no JSON"),
        ("a.json", '{"prompts": ["a"]}', "line 1: the file holds no list"),
        ("a.json", '"a"', "line 1: the file holds no list"),
        ("a.json", '["a",\n3]', "line 2: 3 is neither a text nor an object"),
        ("a.json", '["a",\n["b"]]', "line 2: "),
        ("a.json", '[{"prompt": "a"},\n{"prompt": "b", "prompt": "c"}]', "line 2: two names"),
        ("a.json", '{"prompt": "a"}\n{"prompt": "b"}\n', "one value a line is `.jsonl`"),
        ("a.json", "[" * 100_000, "this is no JSON"),
        ("a.jsonl", '{"prompt": "a"}\n\n{\n', "line 3: this is no JSON value"),
        ("a.jsonl", '["prompt"]\n', "line 1: "),
        ("a.jsonl", "null\n", "line 1: null is neither"),
        ("a.jsonl", '{"prompt": "a", "Prompt": "b"}\n', "line 1: "),
        ("a.jsonl", "[" * 100_000, "line 1: "),
        ("a.yaml", "- a cup\n", r"a.yaml has the ending '.yaml'; a list is .txt, .csv, .tsv, .json"),
        ("a.yml", "- a cup\n", "has the ending '.yml'"),
        ("a.md", "# Prompts\n", "has the ending '.md'"),
        ("a.txt.gz", b"\x1f\x8b", "has the ending '.gz'"),
        ("a.parquet", b"PAR1", "has the ending '.parquet'"),
        ("a", "a cup\n", "a has no ending"),
        ("a.csv", "", "holds no prompt"),
        ("a.txt", "\n \n", "holds no prompt"),
        ("a.json", "[]", "holds no prompt"),
        ("a.tsv", "prompt\tseed\n", "holds no prompt"),
    ],
)
def test_what_breaks_the_rules_of_its_format_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, why: str
) -> None:
    with pytest.raises(BadRequest, match=why) as caught:
        read(tmp_path, name, content)
    assert str(caught.value).endswith("nothing was imported")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    for name, why in (("absent.txt", "there is no file .*absent.txt;"), ("folder.txt", "folder.txt cannot be read")):
        with pytest.raises(BadRequest, match=why):
            read_rows(tmp_path / name)


def test_the_rows_of_a_long_json_list_keep_their_lines(tmp_path: Path) -> None:
    texts = [f"prompt {n}" for n in range(5000)]
    rows = read(tmp_path, "a.json", json.dumps(texts, indent=1))
    assert rows == [(n + 2, text) for n, text in enumerate(texts)]


def test_a_files_name_is_text_whatever_its_bytes_are() -> None:
    assert file_name(Path("/x/caf\udce9\n.txt")) == "caf\ufffd\ufffd.txt"
    assert len(file_name(Path("x" * 200))) == 80


def test_every_ending_is_lower_case() -> None:
    assert all(ending == ending.lower() for ending in READERS)


PIECES = st.sampled_from(
    ['"', ",", ";", "\t", "\n", "\r", "prompt", "seed", "{", "}", "[", "]", ":", "1", "a", "\ufeff", " "]
)


@examples(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ending=st.sampled_from(sorted(READERS)),
    content=st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | st.lists(PIECES).map("".join).map(str.encode),
)
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    for read_file in (read_prompt_file, read_pairs):
        try:
            read_file(path)
        except BadRequest as error:
            assert str(error).endswith("nothing was imported")
            assert "\n" not in str(error)


def test_a_file_that_is_far_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    os.truncate(path, MAX_BYTES + 3 * 10**6)
    with pytest.raises(BadRequest, match="the file has 103 MB, 100 are allowed; split it"):
        read_rows(path)
