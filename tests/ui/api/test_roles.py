"""Which role may use which operation, and what a token is worth."""

import logging

import pytest

from feedback.people.decisions import Decision, decide, give_role
from feedback.people.tokens import list_tokens, revoke_token
from store.tables import PersonRole, RaterAction
from tests.ui.api.conftest import next_of, send, vote
from tests.ui.signin.conftest import client_of_routes, enter
from ui.api.operation import V1
from ui.api.routes import OPERATIONS, api_routes

WHY = {"reason": "a test"}
RATER, CURATOR, ADMIN = ["rater", "curator", "admin"], ["curator", "admin"], ["admin"]
TABLE = [
    ("GET", "/me", None, RATER, 200),
    ("GET", "/guidelines", None, RATER, 200),
    ("POST", "/next", {"count": 1}, RATER, 200),
    ("POST", "/votes", {"votes": [vote(2**40)]}, RATER, 200),
    ("GET", "/pictures/no-such", None, RATER, 404),
    ("GET", "/pool", None, CURATOR, 200),
    ("GET", "/pool/data", None, CURATOR, 404),
    ("POST", "/score", None, ADMIN, 415),
    ("POST", "/import/votes", {"rows": [{"sha256": "0" * 64, "verdict": "keep", "rater": "ann"}]}, ADMIN, 200),
    ("POST", "/import/pictures/a.png", b"no picture", ADMIN, 200),
    ("POST", "/prompts", {"prompts": ["a cup"]}, ADMIN, 200),
    ("GET", "/versions", None, ADMIN, 200),
    ("GET", "/versions/1/files/kohya", None, ADMIN, 200),
    ("GET", "/versions/0/files/kohya", None, ADMIN, 404),
    ("GET", "/versions/7/files/card", None, ADMIN, 404),
    ("POST", "/versions/1/promote", WHY, ADMIN, 200),
    ("POST", "/versions/0/promote", WHY, ADMIN, 409),
    ("POST", "/versions/7/promote", WHY, ADMIN, 404),
    ("POST", "/rollback", WHY, ADMIN, 409),
]


def sent(body: object, **headers: str) -> dict[str, object]:
    """What a request of the table holds: a file, or JSON."""
    given = {name: value for name, value in headers.items() if value}
    if isinstance(body, bytes):
        return {"content": body, "headers": given | {"content-type": "image/png"}}
    return {"json": body, "headers": given}


def test_the_table_has_every_operation():
    used = {(method, path.replace("no-such", "{name}")) for method, path, *_ in TABLE}
    used = {(m, p.replace("/1/", "/{number}/").replace("/kohya", "/{what}")) for m, p in used}
    used = {(m, p.replace("/a.png", "/{file}")) for m, p in used}
    assert {(one.method, one.path) for one in OPERATIONS} <= used


@pytest.mark.parametrize("role", ["rater", "curator", "admin"])
@pytest.mark.parametrize(
    ("method", "path", "body", "roles", "status"), TABLE, ids=[f"{method} {path}" for method, path, *_ in TABLE]
)
def test_a_token_allows_what_its_role_allows(as_role, draw, published, role, method, path, body, roles, status):
    draw(1)
    answer = as_role(role).request(method, V1 + path, **sent(body))
    assert answer.status_code == (status if role in roles else 403), answer.text
    if answer.status_code >= 400:
        assert list(answer.json()) == ["error"]
    if role not in roles:
        assert f"yours is {role} now" in answer.json()["error"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer naysayer_x", "Basic YTpi", "Bearer a\tb", "x"])
def test_without_a_good_token_nothing_is_answered(stranger, published, draw, header):
    draw(1)
    for method, path, body, *_ in TABLE:
        answer = stranger.request(method, V1 + path, **sent(body, authorization=header))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "token" in answer.json()["error"] or "sign in" in answer.json()["error"]


def test_a_revoked_token_is_refused_from_the_next_request_on(as_role, engine):
    client = as_role("admin")
    assert client.get(f"{V1}/me").json() == {"name": "admin", "role": "admin"}
    revoke_token(engine, list_tokens(engine)[0].token.id)
    answer = client.get(f"{V1}/me")
    assert (answer.status_code, "revoked" in answer.json()["error"]) == (401, True)


def test_who_is_demoted_or_paused_can_do_less_with_an_old_token(as_role, engine, draw):
    draw(1)
    client = as_role("admin", "ann")
    give_role(engine, "ann", PersonRole.rater, by="root")
    assert client.get(f"{V1}/versions").status_code == 403
    assert client.get(f"{V1}/me").json()["role"] == "rater"
    decide(engine, "ann", Decision(RaterAction.pause, "root", "away"))
    answer = client.post(f"{V1}/next", json={})
    assert (answer.status_code, "ann is paused" in answer.json()["error"]) == (403, True)


def test_a_cookie_counts_for_nothing_here_and_a_token_nowhere_else(as_role, stranger, engine, settings):
    enter(stranger, engine, "ann")
    assert stranger.get(f"{V1}/me").status_code == 401
    assert stranger.get("/naysayer/guidelines").status_code == 200
    stranger.cookies.clear()
    assert as_role("admin").get("/naysayer/guidelines").status_code == 401


def test_on_this_machine_a_token_is_needed_as_well(engine, settings):
    client = client_of_routes(api_routes(lambda: engine, settings))
    assert client.get(f"{V1}/me").status_code == 401
    assert client.get("/naysayer/api/openapi.json").status_code == 200


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_another_sites_page_cannot_act_even_with_a_token(as_role, draw, engine, headers):
    draw(1)
    client = as_role("rater")
    [picture] = next_of(client)
    client.headers |= headers
    answer = send(client, vote(picture["id"]))
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert client.options(f"{V1}/votes").status_code == 403


def test_no_token_is_ever_logged_or_repeated(as_role, caplog, draw, published, engine):
    caplog.set_level(logging.DEBUG)
    draw(1)
    client = as_role("admin")
    token = client.headers["authorization"].removeprefix("Bearer ")
    said = [client.request(method, V1 + path, **sent(body)).text for method, path, body, *_ in TABLE]
    revoke_token(engine, list_tokens(engine)[0].token.id)
    said += [client.get(f"{V1}/me").text, client.get("/naysayer/api/nothing").text]
    assert not any(token in text for text in [*said, caplog.text])
