"""Versions through the API, with the refusals of the page."""

import pytest

from feedback.versions import champion, events
from store.tables import Action, AliasEvent
from tests.feedback.rating import image_of
from tests.ui.api.conftest import next_of, send, vote
from tests.ui.export.conftest import KOHYA
from ui.api.operation import V1


def last_event(engine) -> AliasEvent:
    return events(engine)[0]


def test_the_list_has_the_figures_that_the_votes_give(as_role, draw, published):
    draw(4)
    rater = as_role("rater")
    send(
        rater,
        *(vote(one["id"], verdict) for one, verdict in zip(next_of(rater), ["reject", *["keep"] * 3], strict=True)),
    )
    newest, base = as_role("admin").get(f"{V1}/versions").json()["versions"]
    assert (newest["number"], newest["aliases"], newest["rate"], newest["low"]) == (1, ["challenger"], None, None)
    assert (base["aliases"], base["judged"], base["rejected"], base["rate"]) == (["champion"], 4, 1, 0.25)
    assert base["low"] < 0.25 < base["high"]


def test_a_version_is_promoted_and_rolled_back_with_who_and_why(as_role, engine, published):
    client = as_role("admin", "ci")
    answer = client.post(f"{V1}/versions/1/promote", json={"reason": "nightly"})
    assert (answer.json(), champion(engine).number) == ({"champion": 1}, 1)
    assert last_event(engine).reason == "nightly (ci, by the API)"
    again = client.post(f"{V1}/versions/1/promote", json={"reason": "nightly"})
    assert (again.status_code, "champion already" in again.json()["error"]) == (409, True)
    assert client.post(f"{V1}/rollback", json={"reason": "too soon"}).json() == {"champion": 0}
    assert (last_event(engine).action, last_event(engine).reason) == (Action.roll_back, "too soon (ci, by the API)")
    nothing = client.post(f"{V1}/rollback", json={"reason": "again"})
    assert (nothing.status_code, "no earlier champion" in nothing.json()["error"]) == (409, True)


def test_a_version_that_the_votes_call_worse_is_refused_unless_it_is_forced(as_role, engine, draw, published):
    admin = as_role("admin", "ci")
    admin.post(f"{V1}/versions/1/promote", json={"reason": "to start with"})
    draw(30, version=0)
    draw(30, version=1, first_seed=30)
    rater = as_role("rater")
    known = {0: "reject", 1: "keep"}
    given = next_of(rater, 60)
    assert len(given) == 60
    send(rater, *(vote(one["id"], known[image_of(engine, one["id"]).version]) for one in given))
    admin = as_role("admin", "ci")
    refused = admin.post(f"{V1}/versions/0/promote", json={"reason": "I like it"})
    assert (refused.status_code, champion(engine).number) == (409, 1)
    assert "rejected more often" in refused.json()["error"]
    forced = admin.post(f"{V1}/versions/0/promote", json={"reason": "I like it", "force": True})
    assert (forced.json(), "(forced: " in last_event(engine).reason) == ({"champion": 0}, True)


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 201}, {"reason": "a\nb"}])
def test_acting_on_versions_needs_a_reason_in_a_line(as_role, engine, published, body):
    client = as_role("admin")
    for path in ("/versions/1/promote", "/rollback"):
        answer = client.post(V1 + path, json=body)
        assert (answer.status_code, answer.json()["error"].startswith("reason")) == (400, True)
    assert champion(engine).number == 0


@pytest.mark.parametrize("number", ["x", "-1", "1.5", str(10**40), "１"])
def test_what_is_no_number_of_a_version_is_malformed(as_role, number):
    assert as_role("admin").get(f"{V1}/versions/{number}/files/card").status_code == 400


def test_a_file_is_the_published_one(as_role, published):
    client = as_role("admin")
    assert client.get(f"{V1}/versions/1/files/kohya").content == KOHYA
    assert client.get(f"{V1}/versions/1/files/comfyui").headers["content-type"] == "application/zip"
    assert client.get(f"{V1}/versions/1/files/exe").status_code == 400
