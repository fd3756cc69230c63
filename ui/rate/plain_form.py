"""The rating page as a plain form, for browsers without JavaScript: one picture, three buttons, one vote a press.

Each picture comes with a request id of its own, so that a form sent twice is one vote; and with a signature of all that
the page gave out, without which nothing is taken: no other site's page has one.
"""

import base64
import hashlib
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

import streamlit
from pydantic import TypeAdapter
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from feedback.figures.summary import desk_state
from feedback.policy import rejects_needed
from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, recent_votes, record_votes
from store.errors import BadRequest, InputError, NaysayerError, NotSignedIn
from store.settings import Settings
from store.tables import Reason, Verdict, utc_now
from ui.rate.routes import body_of, malformed
from ui.signin.invitation_link import identify_sender
from ui.web.pictures import image_path
from ui.web.signing import is_signed, signature

PLAIN = "/naysayer/plain"
PARTS = Path(__file__).with_name("plain")
STYLE = (PARTS / "plain.css").read_text(encoding="utf-8")
PAGE = Template((PARTS / "plain.html").read_text(encoding="utf-8"))
INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
POLICY = (
    f"default-src 'none'; img-src 'self'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; form-action 'self'; base-uri 'none'"
)
SAID = {"reject": "Rejected", "keep": "Kept", "skip": "Skipped", "undo": "Undone"}
SIDE_PX = 448
MAX_FIELDS = 40


def plain_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The form, its votes, and Streamlit's first page with a link to the form for who has no JavaScript."""

    async def give(request: Request) -> Response:
        """The rating page as a form without JavaScript."""
        said = request.query_params.get("said", "")
        return await _answer(request, request.query_params.get("rater", ""), SAID.get(said, ""))

    async def take(request: Request) -> Response:
        """Records the vote of the form, then shows the next picture."""
        fields = {}
        try:
            fields = parse_qs((await body_of(request)).decode(), max_num_fields=MAX_FIELDS)
            rater = await run_in_threadpool(_rater, request, _one(fields, "rater"))
            verdict = await run_in_threadpool(record, engine(), settings, rater, fields)
        except (NaysayerError, ValueError) as error:
            return await _answer(request, _one(fields, "rater"), str(error), 400)
        return RedirectResponse(_address(settings, rater, verdict), status_code=303)

    def _rater(request: Request, claimed: str) -> str:
        return identify_sender(engine(), settings, request).name or claimed

    async def _answer(request: Request, claimed: str, note: str, status: int = 200) -> Response:
        try:
            rater = await run_in_threadpool(_rater, request, claimed)
            body = await run_in_threadpool(form_html, engine(), settings, rater, note)
        except NotSignedIn as error:
            return _page(sorry_html(str(error)), 401)
        except InputError as error:
            return _page(name_html(claimed, str(error)), 400)
        return _page(body, status)

    async def index(_request: Request) -> Response:
        """The first page; without JavaScript it links to the form."""
        link = f'<noscript><p><a href=".{PLAIN}">Rate without JavaScript</a></p>'
        html = INDEX.read_text(encoding="utf-8").replace("<noscript>", link, 1)
        return HTMLResponse(html, headers={"cache-control": "no-cache"})

    return [
        Route("/", index, methods=["GET"]),
        Route(PLAIN, give, methods=["GET"]),
        Route(PLAIN, take, methods=["POST"]),
    ]


def record(engine: Engine, settings: Settings, rater: str, fields: dict[str, list[str]]) -> Verdict:
    """The verdict of a form that was sent, once it is committed.

    Raises BadRequest for a form that this server did not give to this rater, and what refuses the vote.
    """
    given = {name: _one(fields, name) for name in ("image_id", "request_id", "shown_at")}
    if not is_signed(settings, _ticket(rater, **given), _one(fields, "ticket")):
        raise BadRequest("this form was not given to you by this page; nothing was recorded, here is a new one")
    reasons = frozenset(fields.get("reasons", []))
    with malformed():
        press = TypeAdapter(Press).validate_python(
            given
            | {"verdict": _one(fields, "verdict"), "decided_at": utc_now(), "page": "plain", "reasons": reasons}
            | {"image_id": int(given["image_id"])}
        )
    [receipt] = record_votes(engine, rater, [press], Terms.of(settings))
    if receipt.refused:
        raise BadRequest(receipt.refused)
    return press.verdict


def form_html(engine: Engine, settings: Settings, rater: str, note: str = "") -> str:
    """The next picture of this rater with its buttons; the question for a name where there is none.

    Raises BadRequest for a name that cannot be one.
    """
    if not rater:
        return name_html()
    images = next_images(engine, rater, Terms.of(settings), count=1)
    last = recent_votes(engine, rater, 1)
    today = desk_state(engine, rater, rejects_needed(settings)).progress.today
    top = (
        f'<div class="top soft"><span>Rating as <b>{escape(rater)}</b></span>'
        f"<span>{today} {'vote' if today == 1 else 'votes'} today</span></div>"
        f'<p class="soft" role="status">{escape(note)}</p>'
    )
    shown = _picture_html(settings, rater, images[0]) if images else _empty_html(settings, rater)
    return top + shown + "".join(_undo_html(settings, rater, image) for image, _ in last)


def name_html(name: str = "", sorry: str = "") -> str:
    """The question for a name."""
    return (
        "<h1>Who is rating?</h1>"
        '<p class="soft">Your name goes with your votes, so that you find your place again on any machine.</p>'
        f'<form class="who" method="get" action="{PLAIN}"><input type="text" name="rater" maxlength="80" required '
        f'autocomplete="nickname" aria-label="Your name" value="{escape(name[:80], quote=True)}">'
        f'<button type="submit">Start rating</button></form><p class="sorry" role="alert">{escape(sorry)}</p>'
    )


def sorry_html(sentence: str) -> str:
    """A sentence alone, for who may not rate."""
    return f'<h1>Naysayer</h1><p class="sorry">{escape(sentence)}</p>'


def _picture_html(settings: Settings, rater: str, image: Shown) -> str:
    scale = max(1, SIDE_PX // max(image.width, image.height))
    small = ' class="small"' if scale > 1 else ""
    prompt = escape(image.prompt, quote=True)
    reasons = "".join(
        f'<label><input type="checkbox" name="reasons" value="{reason.value}">{reason.value}</label>'
        for reason in Reason
    )
    return (
        f'<h2>{prompt}</h2><form method="post" action="{PLAIN}">{_hidden(settings, rater, image.image_id)}'
        f'<img{small} src="{image_path(settings, image.sha256)}" alt="{prompt}" '
        f'width="{image.width * scale}" height="{image.height * scale}">'
        '<div class="keys"><button name="verdict" value="reject" accesskey="j">Reject</button>'
        '<button name="verdict" value="keep" accesskey="k">Keep</button>'
        '<button name="verdict" value="skip" accesskey="s">Skip</button></div>'
        f"<fieldset><legend>What is wrong, if you like to say</legend>{reasons}</fieldset></form>"
    )


def _empty_html(settings: Settings, rater: str) -> str:
    return (
        "<h2>You have seen everything.</h2><p>New pictures are being drawn. "
        f'<a href="{escape(_address(settings, rater), quote=True)}">Look again</a></p>'
    )


def _undo_html(settings: Settings, rater: str, image: Shown) -> str:
    return (
        f'<form method="post" action="{PLAIN}">{_hidden(settings, rater, image.image_id)}'
        '<p><button name="verdict" value="undo" accesskey="u">Undo</button> '
        f'<span class="soft">the last: {escape(image.prompt)}</span></p></form>'
    )


def _hidden(settings: Settings, rater: str, image_id: int) -> str:
    given = {"image_id": str(image_id), "request_id": str(uuid4()), "shown_at": utc_now().isoformat()}
    fields = {"rater": rater, **given, "ticket": signature(settings, _ticket(rater, **given))}
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(value, quote=True)}">' for name, value in fields.items()
    )


def _ticket(rater: str, image_id: str, request_id: str, shown_at: str) -> str:
    return f"form {image_id} {request_id} {shown_at} {rater}"


def _page(body: str, status: int) -> Response:
    headers = {
        "cache-control": "no-store",
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
    }
    return HTMLResponse(PAGE.substitute(style=STYLE, body=body), status_code=status, headers=headers)


def _address(settings: Settings, rater: str, verdict: Verdict | None = None) -> str:
    """Where the form is; its address names the rater only where no sign-in does."""
    named = {"rater": rater} if settings.sign_in == "name" else {}
    said = {"said": verdict.value} if verdict else {}
    return f"{PLAIN}?{urlencode(named | said)}" if named or said else PLAIN


def _one(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]
