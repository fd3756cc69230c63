"""The description of the API is whole, right, and what the server gives."""

import json

import jsonschema
import pytest

from tests.ui.api.conftest import next_of
from ui.api.description import describe
from ui.api.operation import V1
from ui.api.routes import OPERATIONS

WHOLE = describe(OPERATIONS)


def test_it_describes_every_operation_and_nothing_else():
    described = {(method.upper(), path) for path, methods in WHOLE["paths"].items() for method in methods}
    assert described == {(one.method, one.address) for one in OPERATIONS}
    names = [one["operationId"] for methods in WHOLE["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS)
    assert all(one["summary"] for methods in WHOLE["paths"].values() for one in methods.values())


def test_every_schema_that_it_names_is_there_and_each_is_one():
    text = json.dumps(WHOLE)
    schemas = WHOLE["components"]["schemas"]
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named == set(schemas)
    assert "#/$defs" not in text
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_every_parameter_of_an_address_is_described(one):
    described = WHOLE["paths"][one.address][one.method.lower()].get("parameters", [])
    assert {p["name"] for p in described} == set(one.params.model_fields if one.params else {})
    assert {p["name"] for p in described if p["in"] == "path"} == {p["name"] for p in described if p["required"]}


def test_a_member_reads_it_and_a_stranger_does_not(as_role, stranger):
    assert stranger.get("/naysayer/api/openapi.json").status_code == 401
    assert as_role("rater").get("/naysayer/api/openapi.json").json() == WHOLE


def test_an_answer_is_as_described(as_role, draw):
    draw(2)
    client = as_role("rater")
    assert len(next_of(client)) == 2
    answer = client.post(f"{V1}/next", json={})
    described = WHOLE["paths"][f"{V1}/next"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), described | {"components": WHOLE["components"]})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/votes", 405),
        ("DELETE", "/versions/1/promote", 405),
        ("POST", "/me", 405),
        ("GET", "/nothing", 404),
        ("POST", "/", 404),
        ("GET", "/me?more=1", 400),
    ],
)
def test_another_address_or_method_is_refused_in_json(as_role, method, path, status):
    answer = as_role("admin").request(method, V1 + path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert (status == 405) == ("allow" in answer.headers)
