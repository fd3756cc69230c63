"""The routes of the rating page, over a real store."""

import io
import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from PIL import Image as Picture
from sqlalchemy import Engine
from sqlmodel import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from feedback.figures.summary import standing
from feedback.people.decisions import Decision, decide
from feedback.rate.display import unsealed
from feedback.rate.guidelines import write_guidelines
from feedback.rate.votes import recent_votes
from store.engine import reading, writing
from store.layout import layout_of
from store.settings import Settings
from store.tables import Image, Prompt, RaterAction, Verdict, Vote
from tests.feedback.rating import image_of
from ui.rate.routes import routes
from ui.signin.json_routes import MAX_BODY
from ui.web.guard import SameMachine
from ui.web.pictures import IMAGES, image_path, rater_path

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'; DROP TABLE vote; --", "{{7*7}} ${7*7}"]


@pytest.fixture
def client(engine: Engine, settings: Settings) -> TestClient:
    app = Starlette(routes=routes(lambda: engine, settings), middleware=[Middleware(SameMachine)])
    return TestClient(app, base_url="http://127.0.0.1:8501", raise_server_exceptions=False)


def next_of(client: TestClient, rater: str = "ada", count: int = 8) -> dict:
    return client.post("/naysayer/next", json={"rater": rater, "count": count}).json()


def sha256_of_image(engine: Engine, image: dict) -> str:
    return image_of(engine, image["id"]).sha256


def press(image_id: int, verdict: str = "reject", request_id: str = "") -> dict:
    return {"request_id": request_id or str(uuid4()), "image_id": image_id, "verdict": verdict, "page": "one"}


def send(client: TestClient, *presses: dict, rater: str = "ada") -> dict:
    return client.post("/naysayer/votes", json={"rater": rater, "votes": presses}).json()


def votes_in(engine: Engine) -> list[Vote]:
    with reading(engine) as session:
        return list(session.exec(select(Vote).order_by(Vote.id)))


def test_a_vote_is_in_the_store_when_its_receipt_arrives(client, engine, draw):
    draw(3)
    image = next_of(client)["images"][0]
    stamps = {"shown_at": "2026-01-02T03:04:05.678Z", "decided_at": "2026-01-02T03:04:06+02:00"}
    answer = send(client, press(image["id"]) | stamps)
    assert [receipt["refused"] for receipt in answer["receipts"]] == [""]
    [vote] = votes_in(engine)
    assert (vote.image_id, vote.verdict) == (image_of(engine, image["id"]).id, Verdict.reject)
    assert answer["progress"] == {"votes": 1, "today": 1}


def test_a_repeated_request_id_is_one_vote(client, engine, draw):
    draw(3)
    same = press(next_of(client)["images"][0]["id"])
    for _ in range(5):
        assert send(client, same)["receipts"] == [{"request_id": same["request_id"], "refused": ""}]
    assert send(client, same, same)["progress"]["votes"] == 1
    assert len(votes_in(engine)) == 1


def test_a_refused_press_says_why_and_holds_up_no_other(client, engine, draw):
    draw(3)
    good = press(next_of(client, count=1)["images"][0]["id"], "keep")
    answer = send(client, press(999), good, press(good["image_id"], "reject", good["request_id"]))
    never_shown, fine, reused = answer["receipts"]
    assert "never shown" in never_shown["refused"]
    assert fine["refused"] == ""
    assert "already used" in reused["refused"]
    assert [vote.verdict for vote in votes_in(engine)] == [Verdict.keep]


def test_undo_comes_back_first_and_survives_a_reload(client, draw):
    draw(4)
    first, second = (image["id"] for image in next_of(client, count=2)["images"])
    send(client, press(first), press(second, "keep"))
    assert [(item["image"]["id"], item["verdict"]) for item in next_of(client)["recent"]] == [
        (second, "keep"),
        (first, "reject"),
    ]
    send(client, press(first, "undo"))
    answer = next_of(client)
    assert answer["images"][0]["id"] == first
    assert [item["image"]["id"] for item in answer["recent"]] == [second]


def test_the_last_votes_come_with_what_was_noted_and_only_when_asked_for(client, draw):
    draw(2)
    first, _ = next_of(client)["images"]
    noted = {"reasons": ["text", "hands"], "marks": [{"x": 0.5, "y": 0.25}]}
    send(client, press(first["id"]) | noted)
    [recent] = next_of(client)["recent"]
    assert (recent["image"]["id"], recent["noted"]) == (first["id"], noted | {"reasons": ["hands", "text"]})
    assert client.post("/naysayer/next", json={"rater": "ada", "recent": False}).json()["recent"] == []


def test_the_guidelines_come_as_safe_html_with_their_version(client, engine, draw):
    draw(2)
    assert (next_of(client)["guidelines"], client.get("/naysayer/guidelines").json()["number"]) == (0, 0)
    number = write_guidelines(engine, "**Count**\n\n<img src=x onerror=alert(1)>", "ada")
    assert next_of(client)["guidelines"] == number
    answer = client.get("/naysayer/guidelines").json()
    assert answer["number"] == number
    assert "<strong>Count</strong>" in answer["html"]
    assert "<img" not in answer["html"]


def test_a_reload_gives_the_same_images_in_the_same_order(client, draw):
    draw(12)
    assert next_of(client)["images"] == next_of(client)["images"]


@pytest.mark.parametrize(("read", "unread"), [(5, " star"), (4, "d star"), (10, ""), (99, ""), (None, "")])
def test_an_answer_says_what_the_model_did_not_read(client, engine, draw, read: int | None, unread: str):
    draw(1)
    with writing(engine) as session:
        prompt = session.exec(select(Prompt).join(Image)).one()
        prompt.text, prompt.read_characters = "a red star", read
        session.add(prompt)
    [image] = next_of(client)["images"]
    assert (image["prompt"], image["unread"]) == ("a red star", unread)


def test_answers_do_not_tell_the_versions_apart(client, engine, draw, publish_version):
    draw(2)
    publish_version(engine, 1)
    draw(2, version=1, first_seed=2)
    images = next_of(client)["images"]
    assert {image_of(engine, image["id"]).version for image in images} == {0, 1}
    assert {tuple(image) for image in images} == {("id", "url", "prompt", "unread", "width", "height")}
    answer = send(client, *(press(image["id"]) for image in images))
    assert "version" not in json.dumps([images, answer, next_of(client)])
    headers = [dict(client.get(image["url"]).headers) for image in images]
    assert len({(*sorted(set(found) - {"content-length"}),) for found in headers}) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_prompts_come_back_as_they_are_in_json(client, engine, draw, hostile):
    draw(1, prompts=[hostile])
    response = client.post("/naysayer/next", json={"rater": hostile, "count": 1})
    assert response.headers["content-type"] == "application/json"
    image = response.json()["images"][0]
    assert image["prompt"] == hostile
    send(client, press(image["id"]), rater=hostile)
    assert [vote.verdict for vote in recent_votes(engine, hostile)] == [Verdict.reject]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://["])
def test_a_vote_from_another_sites_page_is_refused(client, engine, draw, origin):
    draw(1)
    image = next_of(client)["images"][0]
    body = {"rater": "ada", "votes": [press(image["id"])]}
    response = client.post("/naysayer/votes", json=body, headers={"origin": origin})
    assert response.status_code == 403
    assert "another site" in response.json()["error"]
    assert votes_in(engine) == []


def test_our_own_origin_may_vote(client, draw):
    draw(1)
    body = {"rater": "ada", "votes": [press(next_of(client)["images"][0]["id"])]}
    response = client.post("/naysayer/votes", json=body, headers={"origin": "http://127.0.0.1:8501"})
    assert response.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8501", "", "[::1", "localhost.evil"])
def test_another_host_name_is_refused(client, host):
    assert client.get("/naysayer/image/x.png", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1", "[::1]:8501"])
def test_every_name_of_this_machine_is_answered(client, host):
    assert client.get("/naysayer/image/x.png", headers={"host": host}).status_code == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_a_plain_form_could_send_is_refused(client, kind):
    response = client.post("/naysayer/next", content=b'{"rater": "ada"}', headers={"content-type": kind})
    assert response.status_code == 400
    assert "application/json" in response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        '{"rater": ""}',
        '{"rater": "a\\u0000b"}',
        '{"rater": "ada", "count": 1000000}',
        '{"rater": "ada", "version": 1}',
        '{"rater": ["ada"]}',
        '{"rater": "' + "a" * MAX_BODY + '"}',
    ],
)
def test_a_malformed_body_is_refused_in_a_sentence(client, body):
    response = client.post("/naysayer/next", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]


@pytest.mark.parametrize(
    "wrong",
    [{"verdict": "burn"}, {"image_id": 2**70}, {"image_id": -1}, {"request_id": "x" * 65}, {"shown_at": "soon"}],
)
def test_a_malformed_press_leaves_no_row(client, engine, draw, wrong):
    draw(1)
    body = {"rater": "ada", "votes": [press(next_of(client)["images"][0]["id"]) | wrong]}
    assert client.post("/naysayer/votes", json=body).status_code == 400
    assert votes_in(engine) == []


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-12:00",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        -62135596800,
        253402300799,
    ],
)
def test_an_impossible_moment_is_left_out_and_the_vote_counts(client, engine, draw, moment):
    draw(2)
    first, second = next_of(client)["images"]
    odd = press(first["id"]) | {"shown_at": moment, "decided_at": moment}
    answer = client.post("/naysayer/votes", json={"rater": "ada", "votes": [odd, press(second["id"])]})
    assert answer.status_code == 200, answer.text
    assert [receipt["refused"] for receipt in answer.json()["receipts"]] == ["", ""]
    assert [vote.shown_at for vote in votes_in(engine)] == [None, None]


@pytest.mark.parametrize(
    "wrong",
    [{"verdict": "burn"}, {"image_id": 2**70}, {"shown_at": "soon"}, {"marks": [{"x": 1e400, "y": 0}]}, {"more": 1}],
)
def test_a_malformed_press_costs_no_other_its_place(client, engine, draw, wrong):
    draw(2)
    first, second = next_of(client)["images"]
    body = {"rater": "ada", "votes": [press(first["id"], request_id="bad") | wrong, press(second["id"])]}
    answer = client.post(
        "/naysayer/votes", content=json.dumps(body), headers={"content-type": "application/json"}
    ).json()
    refused = {receipt["request_id"]: receipt["refused"] for receipt in answer["receipts"]}
    assert refused.pop("bad") != ""
    assert list(refused.values()) == [""]
    assert len(votes_in(engine)) == 1


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, {"request_id": 5}, {"request_id": None}])
def test_what_is_no_press_at_all_costs_no_other_its_place(client, engine, draw, odd):
    draw(1)
    [image] = next_of(client)["images"]
    answer = client.post("/naysayer/votes", json={"rater": "ada", "votes": [odd, press(image["id"])]})
    assert answer.status_code == 200
    assert len(votes_in(engine)) == 1


def test_an_answer_says_whether_more_pictures_will_come(client, engine, draw, hold_worker_lock):
    draw(1)
    assert next_of(client)["is_drawing"] is False
    with hold_worker_lock(engine):
        assert next_of(client)["is_drawing"] is True


def test_a_paused_rater_reads_why_there_are_no_pictures(client, engine, draw):
    draw(3)
    held = next_of(client, count=1)["images"]
    decide(engine, "ada", Decision(RaterAction.pause, "root", "away"))
    answer = client.post("/naysayer/next", json={"rater": "ada"})
    assert (answer.status_code, "ada is paused" in answer.json()["error"]) == (403, True)
    assert send(client, press(held[0]["id"]))["receipts"][0]["refused"] == ""
    decide(engine, "ada", Decision(RaterAction.resume, "root", "back"))
    assert len(next_of(client)["images"]) == 2


def test_an_excluded_rater_is_told_nothing_and_counts_nowhere(client, engine, draw):
    draw(3)
    next_of(client)
    decide(engine, "ada", Decision(RaterAction.exclude, "root", "careless"))
    images = next_of(client)["images"]
    assert send(client, press(images[0]["id"]))["progress"]["today"] == 1
    assert standing(engine).votes == 0


def test_a_picture_is_sent_as_it_was_stored(client, engine, settings, draw):
    draw(1)
    image = next_of(client)["images"][0]
    response = client.get(image["url"])
    assert response.content == layout_of(settings).blobs.get(sha256_of_image(engine, image))
    assert response.headers["content-type"] == "image/png"
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_large_picture_is_sent_as_webp_without_metadata_and_from_then_on_the_same(client, engine, settings, draw):
    draw(1, side_px=320)
    image = next_of(client)["images"][0]
    url, sha256 = image["url"], sha256_of_image(engine, image)
    first, second = client.get(url), client.get(url)
    assert first.headers["content-type"] == "image/webp"
    assert first.content == second.content == unsealed(layout_of(settings).display_copy(sha256).read_bytes(), sha256)
    with Picture.open(io.BytesIO(first.content)) as shown:
        assert (shown.size, shown.info.get("exif"), shown.info.get("icc_profile")) == ((320, 320), None, None)


def test_latents_are_not_served_even_with_a_signature(client, engine, settings, draw):
    draw(1)
    with reading(engine) as session:
        latent = session.exec(select(Image.latent_sha256)).one()
    assert client.get(image_path(settings, latent)).status_code == 404


def test_a_picture_is_given_to_nobody_who_only_knows_its_number_or_hash(client, engine, settings, draw, tmp_path):
    draw(2)
    images = next_of(client)["images"]
    number, signature = images[0]["url"].removeprefix(IMAGES).split("-")
    sha256 = sha256_of_image(engine, images[0])
    elsewhere = Settings(data_dir=tmp_path / "another", _env_file=None)
    for name in (
        number,
        sha256,
        f"{sha256}.png",
        f"{number}-",
        f"{number}-{signature[:-1]}",
        f"{number}-{signature[:-1]}{'0' if signature[-1] != '0' else '1'}",
        f"{images[1]['id']}-{signature}",
        f"{sha256}-{signature}",
        f"0{number}-{signature}",
    ):
        assert client.get(f"{IMAGES}{name}").status_code == 404
    assert client.get(rater_path(elsewhere, int(number))).status_code == 404
    assert client.get(images[0]["url"]).status_code == 200
    assert client.get(image_path(settings, sha256)).status_code == 200


def test_an_address_stays_the_same_and_hangs_on_the_secret_where_there_is_one(settings):
    mine, yours = (settings.model_copy(update={"secret": letter * 32}) for letter in "ab")
    assert image_path(settings, "0" * 64) == image_path(settings, "0" * 64)
    assert len({image_path(one, "0" * 64) for one in (settings, mine, yours)}) == 3
    assert layout_of(settings).page_key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name",
    ["../../naysayer.db", "..%2f..%2fnaysayer.db", "%2e%2e%2fnaysayer", "A" * 64, "0" * 64, "0" * 63, "a/b", "x%00y"],
)
def test_only_the_hash_of_a_picture_names_one(client, settings, draw, name):
    draw(1)
    assert client.get(f"/naysayer/image/{name}").status_code == 404
    assert client.get(image_path(settings, name)).status_code == 404


def test_an_unexpected_failure_is_a_plain_sentence_and_logged(engine, settings, draw, caplog):
    def broken() -> Engine:
        raise RuntimeError("secret detail")

    app = Starlette(routes=routes(broken, settings))
    response = TestClient(app, raise_server_exceptions=False).post("/naysayer/next", json={"rater": "ada"})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "secret detail" in caplog.text


def test_two_raters_are_given_different_images(client: TestClient, draw: Callable[..., None]):
    draw(8)
    first = {image["id"] for image in next_of(client, "ada", 4)["images"]}
    second = {image["id"] for image in next_of(client, "grace", 4)["images"]}
    assert len(first | second) == 8
