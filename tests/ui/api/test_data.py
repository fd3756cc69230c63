"""The pool and the prompt list through the API."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest

from feedback.sample.prompts import list_prompts
from store.layout import layout_of
from tests.ui.api.conftest import next_of, send, vote
from ui.api.operation import V1


@pytest.fixture
def rated(as_role, draw):
    """Nine pictures rated by ann: one kept, one skipped, one rejected, in turns."""
    draw(9)
    client = as_role("rater", "ann")
    verdicts = ["keep", "skip", "reject"] * 3
    votes = [vote(one["id"], verdict) for one, verdict in zip(next_of(client, 9), verdicts, strict=True)]
    votes[2] |= {"reasons": ["hands"], "marks": [{"x": 0.5, "y": 0.25}]}
    assert send(client, *votes).json()["answers"] == 6
    return as_role("curator", "cora")


def pages(client, **params) -> list[list[dict]]:
    found, after = [], 0
    while after is not None:
        page = client.get(f"{V1}/pool", params=params | {"after": after}).json()
        found.append(page["pictures"])
        after = page["next"]
    return found


def test_the_pool_comes_in_pages_that_hold_each_picture_once(rated):
    found = pages(rated, count=4)
    assert [len(page) for page in found] == [4, 2]
    rows = [row for page in found for row in page]
    assert [row["picture"] for row in rows] == sorted({row["picture"] for row in rows})
    assert sorted(row["label"] for row in rows) == [0, 0, 0, 1, 1, 1]
    assert len(pages(rated, which="rejects")[0]) == 3
    assert pages(rated, version=7) == [[]]


def test_a_row_has_the_votes_under_a_pseudonym_and_the_picture_itself(rated, settings):
    [[row]] = pages(rated, reason="hands")
    [press] = row["presses"]
    assert (press["verdict"], press["reasons"], press["marks"]) == ("reject", ["hands"], [[0.5, 0.25]])
    assert press["rater"].startswith("rater-")
    assert pages(rated, reason="hands", names=True)[0][0]["presses"][0]["rater"] == "ann"
    assert rated.get(row["url"]).content == layout_of(settings).blobs.get(row["sha256"])


@pytest.mark.parametrize(
    "wrong",
    ["count=0", "count=501", "after=-1", "which=all", "until=0", "since=2026-13-01", "version=x", "reason=", "page=2"],
)
def test_a_parameter_that_cannot_be_is_refused_by_its_name(as_role, wrong):
    answer = as_role("curator").get(f"{V1}/pool?{wrong}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(wrong.split("=")[0])


@pytest.mark.parametrize("path", ["pool", "pool/data"])
def test_a_rater_whom_the_store_does_not_know_is_named_and_not_an_empty_answer(rated, path):
    answer = rated.get(f"{V1}/{path}", params={"rater": "nobody"})
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        "no rater of this store is called 'nobody'; check the name",
    )
    assert rated.get(f"{V1}/{path}", params={"rater": "ANN"}).status_code == 200


def test_prompts_are_added_once_and_all_or_none(as_role, engine):
    client = as_role("admin")
    body = {"prompts": ["a cup", "a  cup", "a jug"], "source": "my tool"}
    first, again = (client.post(f"{V1}/prompts", json=body).json() for _ in range(2))
    assert (first["given"], first["new"], again["new"], again["number"]) == (3, 2, 0, None)
    refused = client.post(f"{V1}/prompts", json={"prompts": ["a bowl", "a\x1bcup"]})
    assert (refused.status_code, "control character" in refused.json()["error"]) == (400, True)
    assert [(one.text, one.source) for one in list_prompts(engine)] == [("a cup", "my tool"), ("a jug", "my tool")]


def test_the_pool_comes_as_one_zip_with_pictures_and_votes(rated):
    answer = rated.get(f"{V1}/pool/data", params={"which": "rejects"})
    with ZipFile(BytesIO(answer.content)) as archive:
        names = archive.namelist()
        votes = archive.read("naysayer-data/votes.jsonl").decode().splitlines()
    assert (len([name for name in names if name.endswith(".png")]), len(votes)) == (3, 3)
    assert "ann" not in {json.loads(line)["rater"] for line in votes}


def test_votes_from_elsewhere_come_in_once_and_what_is_no_vote_is_named(rated, as_role):
    [rows] = pages(rated)
    admin = as_role("admin")
    given = [{"sha256": row["sha256"], "verdict": "reject", "rater": "bob"} for row in rows]
    body = {"rows": [*given, {"sha256": "0" * 64, "verdict": "keep", "rater": "bob"}]}
    first, again = (admin.post(f"{V1}/import/votes", json=body).json() for _ in range(2))
    assert (first["recorded"], first["known"], first["raters"], first["pictures"]) == (6, 0, 1, 6)
    assert [one["rows"] for one in first["left_out"]] == [1]
    assert (again["recorded"], again["known"]) == (0, 6)
    refused = admin.post(f"{V1}/import/votes", json={"rows": [{"colour": "red"}]})
    assert (refused.status_code, "no kind of vote" in refused.json()["error"]) == (400, True)
