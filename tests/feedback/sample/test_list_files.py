import pytest

from feedback.sample.list_files import read_lines, read_rows
from store.errors import BadRequest


def written(tmp_path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "prompt\tseed\n\na star\t1\n"),
        ("a.csv", "prompt,seed\n\na star,1\n"),
        ("a.txt", "prompt\tseed\n\na star\t1\n"),
        ("a.jsonl", '\n\n{"prompt": "a star", "seed": "1"}\n'),
    ],
)
def test_every_kind_gives_the_same_rows_with_the_files_line_numbers(tmp_path, name, text):
    [row] = read_rows(written(tmp_path, name, text), "`prompt`")
    assert row.line == 3
    assert row.fields == {"prompt": "a star", "seed": "1"}


@pytest.mark.parametrize("bad", ["{", "[1]", "3"])
def test_an_error_names_the_line(tmp_path, bad):
    path = written(tmp_path, "a.jsonl", '{"prompt": "a"}\n\n' + bad + "\n")
    with pytest.raises(BadRequest, match="line 3"):
        read_rows(path, "`prompt`")


def test_an_empty_file_has_no_rows(tmp_path):
    assert read_rows(written(tmp_path, "a.csv", ""), "`prompt`") == []


def test_what_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"prompt\n\xff\xfe\n")
    with pytest.raises(BadRequest, match="cannot be read as UTF-8"):
        read_lines(path)
