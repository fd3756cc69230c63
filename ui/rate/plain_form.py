"""The plain form: rating in a browser without JavaScript. One picture, three buttons, one vote for each press.

Opening it changes nothing until a name is sent. Each picture comes with its own request id, so that a form sent twice
is one vote. It also comes with a signature of everything in the form; without it no vote is taken, so no other site can
send one.
"""

import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from feedback.figures.summary import rating_state
from feedback.rate.guidelines import current_guidelines
from feedback.rate.queue import Shown, next_sound
from feedback.rate.raters import clean_name
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, recent_votes, take_votes
from feedback.workers import is_worker_alive
from store.errors import BadRequest, InputError, NaysayerError, NotAllowed, NotSignedIn, TooFast
from store.layout import layout_of
from store.settings import Settings
from store.settings.live import as_changed
from store.tables import Verdict, utc_now
from ui.rate.pace import pace_of
from ui.rate.page_data import DONE, KEYS, LIMITS, REASONS, coming_words, enlargement
from ui.rate.routes import wait_for_tick
from ui.signin.invitation_link import identify_sender
from ui.signin.json_routes import body_of, malformed
from ui.web.guard import is_from_elsewhere
from ui.web.pictures import rater_path
from ui.web.plain_page import plain_html, plain_response
from ui.web.signing import is_signed, signature
from ui.web.templates import markdown_html

PLAIN = "/naysayer/plain"
SIDE_PX = 448
MAX_FIELDS = 40


class OnForm(NamedTuple):
    """A picture on the form, enlarged to `width` x `height` pixels; `fields` are the hidden ones of its vote."""

    prompt: str
    read: str
    unread: str
    path: str
    scale: int
    width: int
    height: int
    fields: dict[str, str]


def plain_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The form, its votes, and Streamlit's first page with a link to the form for browsers without JavaScript."""

    async def give(request: Request) -> Response:
        """The rating page as a form without JavaScript."""
        asked = request.query_params
        if not _is_own_address(settings, asked.get("rater", ""), asked.get("key", "")):
            return plain_response(name_html(settings, asked.get("rater", "")))
        if is_from_elsewhere(request.headers):
            return plain_response(sorry_html(settings, "another page led here", again=PLAIN))
        return await _answer(request, asked.get("rater", ""), DONE.get(asked.get("said", ""), ""))

    async def take(request: Request) -> Response:
        """Records the vote of the form, then shows the next picture."""
        fields, began = {}, time.monotonic()
        try:
            fields = parse_qs((await body_of(request)).decode(), max_num_fields=MAX_FIELDS)
            rater = await run_in_threadpool(_rater, request, _one(fields, "rater"))
            verdict = await run_in_threadpool(record, engine(), as_changed(settings), rater, fields)
        except (NaysayerError, ValueError) as error:
            status = 429 if isinstance(error, TooFast) else 400
            return await _answer(request, _one(fields, "rater"), str(error), status)
        await wait_for_tick(began)
        return RedirectResponse(_address(settings, rater, verdict), status_code=303)

    def _rater(request: Request, claimed: str) -> str:
        return identify_sender(engine(), settings, request).name or claimed

    async def _answer(request: Request, claimed: str, note: str, status: int = 200) -> Response:
        try:
            rater = await run_in_threadpool(_rater, request, claimed)
            html = await run_in_threadpool(form_html, engine(), as_changed(settings), rater, note)
        except (NotAllowed, NotSignedIn) as error:
            return plain_response(sorry_html(settings, str(error)), 401 if isinstance(error, NotSignedIn) else 403)
        except InputError as error:
            return plain_response(name_html(settings, claimed, str(error)), 400)
        return plain_response(html, status)

    return [
        Route(PLAIN, give, methods=["GET"]),
        Route(PLAIN, take, methods=["POST"]),
        _entry_route(settings),
    ]


def _entry_route(settings: Settings) -> Route:
    async def enter(request: Request) -> Response:
        """The address of a rater's form, once a name is sent."""
        given = ""
        try:
            given = _one(parse_qs((await body_of(request)).decode(), max_num_fields=MAX_FIELDS), "rater")
            return RedirectResponse(_address(settings, clean_name(given)), status_code=303)
        except (NaysayerError, ValueError) as error:
            return plain_response(name_html(settings, given, str(error)), 400)

    return Route(f"{PLAIN}/enter", enter, methods=["POST"])


def record(engine: Engine, settings: Settings, rater: str, fields: dict[str, list[str]]) -> Verdict:
    """The verdict of a form that was sent, once it is committed.

    Raises BadRequest for a form that this server did not give to this rater, and for a vote that is refused.
    """
    given = {name: _one(fields, name) for name in ("image_id", "request_id", "shown_at", "guidelines")}
    if not is_signed(settings, _ticket(rater, **given), _one(fields, "ticket")):
        raise BadRequest("this form did not come from this page; nothing was recorded. Here is a new one")
    reasons = frozenset(fields.get("reasons", []))
    with malformed():
        press = TypeAdapter(Press).validate_python(
            given
            | {"verdict": _one(fields, "verdict"), "decided_at": utc_now(), "page": "plain", "reasons": reasons}
            | {"image_id": int(given["image_id"]), "guidelines": int(given["guidelines"]) or None}
        )
    pace_of(settings).take(rater, 1)
    [receipt] = take_votes(engine, rater, [press], Terms.of(settings))
    if receipt.refused:
        raise BadRequest(receipt.refused)
    return press.verdict


def form_html(engine: Engine, settings: Settings, rater: str, note: str = "") -> str:
    """The next picture of this rater with its buttons; the question for a name where there is none.

    Raises BadRequest for a name that cannot be one.
    """
    if not rater:
        return name_html(settings)
    picture = next_sound(engine, layout_of(settings), rater, Terms.of(settings))
    last = recent_votes(engine, rater, 1)
    guidelines = current_guidelines(engine)
    number = guidelines.id if guidelines else 0
    return _html(
        settings,
        "form",
        rater=rater,
        note=note,
        today=rating_state(engine, rater).progress.today,
        guidelines=markdown_html(guidelines.text) if guidelines else None,
        picture=_on_form(settings, rater, picture, number) if picture else None,
        last=_on_form(settings, rater, last[0].picture, number) if last else None,
        coming=coming_words(is_worker_alive(engine)),
        again=settings.below(_address(settings, rater)),
    )


def name_html(settings: Settings, name: str = "", sorry: str = "") -> str:
    """The question for a name."""
    return _html(settings, "name", given=name, sorry=sorry)


def sorry_html(settings: Settings, sentence: str, again: str = "") -> str:
    """Only a sentence, for someone who may not rate, or not yet: `again` is where to go on."""
    return _html(settings, "sorry", sentence=sentence, again=again and settings.below(again))


def _html(settings: Settings, template: str, **values: object) -> str:
    shared = {"path": settings.below(PLAIN), "limits": LIMITS, "keys": KEYS["one"], "reasons": REASONS}
    return plain_html(f"rate/plain/{template}.html", **shared, **values)


def _on_form(settings: Settings, rater: str, image: Shown, guidelines: int | None) -> OnForm:
    given = {"image_id": str(image.number), "request_id": str(uuid4()), "shown_at": utc_now().isoformat()}
    given["guidelines"] = str(guidelines or 0)
    scale = enlargement(image, SIDE_PX)
    return OnForm(
        prompt=image.prompt,
        read=image.read,
        unread=image.unread,
        path=rater_path(settings, image.number),
        scale=scale,
        width=image.width * scale,
        height=image.height * scale,
        fields={"rater": rater, **given, "ticket": signature(settings, _ticket(rater, **given))},
    )


def _is_own_address(settings: Settings, rater: str, key: str) -> bool:
    return settings.sign_in != "name" or is_signed(settings, _entry(rater), key)


def _entry(rater: str) -> str:
    return f"form of {rater}"


def _ticket(rater: str, image_id: str, request_id: str, shown_at: str, guidelines: str) -> str:
    return f"form {image_id} {request_id} {shown_at} {guidelines} {rater}"


def _address(settings: Settings, rater: str, verdict: Verdict | None = None) -> str:
    """Where the form is; its address names the rater only where no sign-in does.

    It is then signed: opening an address that another site made up reserves no picture and makes no rater.
    """
    named = {"rater": rater, "key": signature(settings, _entry(rater))} if settings.sign_in == "name" else {}
    said = {"said": verdict.value} if verdict else {}
    return f"{PLAIN}?{urlencode(named | said)}" if named or said else PLAIN


def _one(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]
