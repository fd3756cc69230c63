import base64
from pathlib import Path

import pytest

from ui.dashboard.setup.file import Given, given_of


def sent(name: object, content: object) -> dict[str, object]:
    return {"name": name, "content": content, "at": 1}


def test_a_chosen_file_comes_with_its_name_and_without_a_folder():
    content = base64.b64encode(b"a red star\n").decode()
    assert given_of(sent("list.txt", content)) == Given(Path("list.txt"), b"a red star\n")
    assert given_of(sent("../../etc/list.txt", content)) == Given(Path("list.txt"), b"a red star\n")
    assert given_of(sent("..", content)).path == Path("..")


@pytest.mark.parametrize("wrong", [None, {}, sent(1, ""), sent("a.txt", None), sent("a.txt", "not base64!"), "a.txt"])
def test_what_is_no_file_is_none(wrong):
    assert given_of(wrong) is None
