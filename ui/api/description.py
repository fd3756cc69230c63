"""The API's description in OpenAPI 3.1, made from the table of operations and the models of what they take and give."""

import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ui.api.bodies import Fault
from ui.api.forms import MULTIPART, form_schema
from ui.api.operation import Operation

ABOUT = (
    "Rate, export and promote from other programs. Make a token with `naysayer token make NAME --role ROLE` and send "
    "it as `Authorization: Bearer TOKEN`. Every error has a sentence that says what to do."
)
SCHEMAS = "#/components/schemas/"
Schema = dict[str, Any]


def describe(operations: Sequence[Operation]) -> Schema:
    """The description of these operations."""
    names, schemas = _schemas(operations)
    paths: dict[str, Schema] = {}
    for one in operations:
        paths.setdefault(one.address, {})[one.method.lower()] = _operation(one, names, schemas)
    for params in {one.params for one in operations if one.params}:
        del schemas[names[params]]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Naysayer", "version": metadata.version("naysayer"), "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _schemas(operations: Sequence[Operation]) -> tuple[dict[type[BaseModel], str], dict[str, Schema]]:
    """The name of each model, and every schema by name."""
    taken = {model for one in operations for model in (one.body, one.params) if model}
    given = {one.gives for one in operations if not isinstance(one.gives, tuple)} | {Fault}
    modes: list[Any] = [
        *((model, "validation") for model in sorted(taken, key=lambda model: model.__name__)),
        *((model, "serialization") for model in sorted(given, key=lambda model: model.__name__)),
    ]
    found, whole = models_json_schema(modes, ref_template=SCHEMAS + "{model}")
    names = {model: found[model, mode]["$ref"].removeprefix(SCHEMAS) for model, mode in modes}
    return names, whole["$defs"]


def _operation(one: Operation, names: dict[type[BaseModel], str], schemas: dict[str, Schema]) -> Schema:
    described: Schema = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [one.page],
        "responses": {"200": {"description": "done", "content": _content(one, names)}} | _faults(one, names),
    }
    if one.params:
        described["parameters"] = _parameters(one, schemas[names[one.params]])
    if one.body:
        content = {"application/json": {"schema": {"$ref": SCHEMAS + names[one.body]}}}
        described["requestBody"] = {"required": True, "content": content}
    if one.upload:
        described["requestBody"] = {"required": True, "content": dict(one.upload())}
    if one.takes:
        described["requestBody"] = {"required": True, "content": {kind: _taken(kind) for kind in one.takes}}
    return described


def _taken(kind: str) -> Schema:
    """A body that is a file, or a form with it."""
    return {"schema": form_schema({})} if kind == MULTIPART else {}


def _content(one: Operation, names: dict[type[BaseModel], str]) -> Schema:
    if isinstance(one.gives, tuple):
        return {kind: {} for kind in one.gives}
    return {"application/json": {"schema": {"$ref": SCHEMAS + names[one.gives]}}}


def _faults(one: Operation, names: dict[type[BaseModel], str]) -> Schema:
    content = {"application/json": {"schema": {"$ref": SCHEMAS + names[Fault]}}}
    return {str(status): {"description": when, "content": content} for status, when in one.statuses.items()}


def _parameters(one: Operation, schema: Schema) -> list[Schema]:
    in_path = set(re.findall(r"{(\w+)}", one.path))
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path,
            "description": field.get("description", ""),
            "schema": _without_null(field),
        }
        for name, field in schema["properties"].items()
    ]


def _without_null(field: Schema) -> Schema:
    """The schema of a parameter, which is left out where there is none."""
    kinds = [kind for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    rest = {name: value for name, value in field.items() if name not in ("anyOf", "description", "title")}
    return {**kinds[0], **{n: v for n, v in rest.items() if v is not None}} if kinds else rest
