"""A picture that comes as a field of a form, as `curl -F picture=@fox.png` sends it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from store.errors import BadRequest

MULTIPART = "multipart/form-data"
FIELD, PIECE_BYTES = "picture", 1 << 16
FILE = {"type": "string", "format": "binary"}
"""A file, as OpenAPI has it."""


class Form(NamedTuple):
    """The picture, piece by piece, and the texts beside it."""

    pieces: AsyncIterator[bytes]
    texts: Mapping[str, str]


@asynccontextmanager
async def read_form(request: Request, *texts: str) -> AsyncIterator[Form]:
    """The form of a request, which may have these texts; a long file waits on the disk. Raises BadRequest."""
    try:
        async with request.form(max_files=1, max_fields=len(texts)) as form:
            if set(form) - {FIELD, *texts}:
                raise BadRequest(f"a form has the fields {', '.join((FIELD, *texts))}; leave others out")
            picture, said = form.get(FIELD), {name: form[name] for name in texts if name in form}
            if not isinstance(picture, UploadFile):
                raise BadRequest(f"{FIELD}: it must be a file; with curl, -F {FIELD}=@fox.png")
            found = {name: text for name, text in said.items() if isinstance(text, str)}
            if len(found) < len(said):
                raise BadRequest(f"{', '.join(said)}: it must be a text, not a file")
            yield Form(_pieces(picture), found)
    except HTTPException as error:
        raise BadRequest(f"the form cannot be read: {error.detail}") from error


def form_schema(texts: Mapping[str, Any]) -> dict[str, Any]:
    """The form in OpenAPI."""
    return {"type": "object", "properties": {FIELD: FILE, **texts}, "required": [FIELD], "additionalProperties": False}


async def _pieces(picture: UploadFile) -> AsyncIterator[bytes]:
    while piece := await picture.read(PIECE_BYTES):
        yield piece
