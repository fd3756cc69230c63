"""Rating through the API: every vote counts once, and nothing tells a picture's version."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from feedback.rate.guidelines import write_guidelines
from store.engine import reading
from store.layout import layout_of
from store.tables import Mark, Verdict, Vote, VoteReason
from tests.feedback.rating import image_of
from tests.ui.api.conftest import next_of, send, vote
from ui.api.operation import V1
from ui.rate.pace import BURST
from ui.signin.json_routes import MAX_BODY


def votes_in(engine) -> list[Vote]:
    with reading(engine) as session:
        return list(session.exec(select(Vote).order_by(Vote.id)))


def test_a_vote_with_all_it_may_say_is_on_disk_when_its_receipt_arrives(as_role, engine, draw):
    draw(2)
    client = as_role("rater", "ann")
    first, second = next_of(client)
    noted = {"reasons": ["hands"], "marks": [{"x": 0.5, "y": 0.25}], "decided_at": "2026-01-02T03:04:05Z"}
    answer = send(client, vote(first["id"], **noted), vote(second["id"], "keep", page="my tool"))
    assert [one["refused"] for one in answer.json()["receipts"]] == ["", ""]
    assert answer.json()["answers"] == 2
    assert [(one.verdict, one.page) for one in votes_in(engine)] == [(Verdict.reject, "api"), (Verdict.keep, "my tool")]
    with reading(engine) as session:
        assert [(mark.x, mark.y) for mark in session.exec(select(Mark))] == [(0.5, 0.25)]
        assert [row.reason for row in session.exec(select(VoteReason))] == ["hands"]


def test_a_repeated_request_id_is_one_vote_and_another_vote_under_it_is_refused(as_role, engine, draw):
    draw(2)
    client = as_role("rater")
    first, second = next_of(client)
    same = vote(first["id"])
    for _ in range(3):
        assert send(client, same, same).json()["receipts"] == [{"request_id": same["request_id"], "refused": ""}] * 2
    [receipt] = send(client, same | {"image_id": second["id"]}).json()["receipts"]
    assert "already used" in receipt["refused"]
    assert len(votes_in(engine)) == 1


def test_ten_requests_at_once_are_each_answered_and_count_once(as_role, engine, draw):
    draw(10)
    client = as_role("rater")
    pictures = next_of(client, 10)
    votes = [vote(picture["id"]) for picture in pictures]
    with ThreadPoolExecutor(10) as pool:
        same = list(pool.map(lambda _: send(client, votes[0]), range(10)))
        others = list(pool.map(lambda one: send(client, one), votes))
    assert {answer.status_code for answer in same + others} == {200}
    assert not any(one["refused"] for answer in same + others for one in answer.json()["receipts"])
    assert sorted(one.request_id for one in votes_in(engine)) == sorted(one["request_id"] for one in votes)


def test_no_answer_to_a_rater_tells_a_version(as_role, engine, draw, publish_version):
    draw(2)
    publish_version(engine, 1)
    draw(2, version=1, first_seed=2)
    client = as_role("rater")
    given = client.post(f"{V1}/next", json={"count": 8})
    pictures = given.json()["pictures"]
    assert {image_of(engine, one["id"]).version for one in pictures} == {0, 1}
    assert {tuple(one) for one in pictures} == {("id", "url", "prompt", "unread", "width", "height")}
    answer = send(client, *(vote(one["id"]) for one in pictures))
    shown = [client.get(one["url"]) for one in pictures]
    assert [one.status_code for one in shown] == [200] * 4
    assert len({tuple(sorted(set(one.headers) - {"content-length"})) for one in shown}) == 1
    texts = [given.text, answer.text, client.get(f"{V1}/me").text, client.get(f"{V1}/guidelines").text]
    assert "version" not in json.dumps([texts, [dict(one.headers) for one in shown]])


def test_a_picture_comes_as_it_was_stored_and_only_under_the_name_that_was_given(as_role, engine, settings, draw):
    draw(1)
    client = as_role("rater")
    [picture] = next_of(client)
    image = image_of(engine, picture["id"])
    assert client.get(picture["url"]).content == layout_of(settings).blobs.get(image.sha256)
    for name in (str(picture["id"]), image.sha256, picture["url"][:-1], "..%2f..%2fnaysayer.db", "0" * 200):
        assert client.get(f"{V1}/pictures/{name.rsplit('/', 1)[-1]}").status_code == 404


def test_the_guidelines_come_as_they_were_written(as_role, engine):
    assert as_role("rater").get(f"{V1}/guidelines").json() == {"number": 0, "text": ""}
    number = write_guidelines(engine, "**Count** fingers", "root")
    assert as_role("rater").get(f"{V1}/guidelines").json() == {"number": number, "text": "**Count** fingers"}


def test_votes_beyond_the_pace_of_a_person_wait(as_role, engine):
    client = as_role("rater")
    batch = [vote(2**40 + n) for n in range(300)]
    answers = [send(client, *batch) for _ in range(BURST // 300 + 1)]
    assert [one.status_code for one in answers] == [200] * (BURST // 300) + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def post(client, path: str, content: bytes, kind: str = "application/json"):
    return client.post(V1 + path, content=content, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"not json", 400),
        (b"", 400),
        (b"[]", 400),
        (b'{"votes": []}', 400),
        (b'{"votes": [7]}', 400),
        (b'{"votes": [{}], "rater": "bob"}', 400),
        (b'{"votes": [{"request_id": "r", "image_id": "4294967297", "verdict": "reject"}]}', 400),
        (b'{"votes": [{"request_id": "r", "image_id": 4294967297, "verdict": "burn"}]}', 400),
        (b'{"votes": [{"request_id": "r", "image_id": 1e400, "verdict": "keep"}]}', 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
        (b'{"votes": ' + b" " * MAX_BODY + b"[]}", 413),
        (b" " * (4 << 20), 413),
    ],
)
def test_a_malformed_or_oversized_body_is_refused_in_a_sentence_and_leaves_no_row(as_role, engine, content, status):
    answer = post(as_role("rater"), "/votes", content)
    assert answer.status_code == status
    assert 10 < len(answer.json()["error"]) < 300
    assert votes_in(engine) == []


def test_one_malformed_vote_keeps_the_whole_batch_out_so_that_it_can_be_sent_again(as_role, engine, draw):
    draw(1)
    client = as_role("rater")
    [picture] = next_of(client)
    good = vote(picture["id"])
    answer = send(client, good, good | {"verdict": "burn"})
    assert (answer.status_code, "votes.1.verdict" in answer.json()["error"]) == (400, True)
    assert votes_in(engine) == []
    assert send(client, good).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_a_plain_form_could_send_is_refused(as_role, kind):
    assert post(as_role("rater"), "/next", b"{}", kind).status_code == 415
