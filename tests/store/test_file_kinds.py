import re

import pytest

from store.file_kinds import mistaken_kind

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 6938078334\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (POINTER, "git-lfs pointer"),
        (b"\xef\xbb\xbf" + POINTER, "git-lfs pointer"),
        (b"<!DOCTYPE html><html><title>Log in</title>", "web page"),
        (b"\n  <HTML lang=en>", "web page"),
        (b'{"error":"Unauthorized","message":"Sign in"}', r"JSON text \(\{\"error\":\"Unauthorized\""),
        (b'[{"error": 404}]', "JSON text"),
        (b"Entry not found", "a text, not the file"),
        (b"PK\x03\x04 archive/data.pkl", "pickle"),
        (b"\x80\x02}q\x00.", "pickle"),
    ],
)
def test_what_came_instead_of_the_file_is_said(tmp_path, content, said):
    (tmp_path / "a.safetensors").write_bytes(content)
    assert re.search(said, mistaken_kind(tmp_path / "a.safetensors"))


@pytest.mark.parametrize("content", [b"", b"\x10\x00\x00\x00\x00\x00\x00\x00{}", b"{" + b"\x00" * 7 + b'{"a":1}'])
def test_what_may_be_a_safetensors_file_is_not_judged(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    assert mistaken_kind(tmp_path / "a.safetensors") == ""
