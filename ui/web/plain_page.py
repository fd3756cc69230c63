"""Pages of plain HTML, without a script: the form for rating, and what a stranger sees."""

import base64
import hashlib

from starlette.responses import HTMLResponse, Response

from ui.web.templates import render

STYLE = render("web/plain.css")
POLICY = (
    f"default-src 'none'; img-src 'self'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; form-action 'self'; base-uri 'none'"
)


def plain_html(template: str, **values: object) -> str:
    """The HTML of a template that extends `web/plain.html`."""
    return render(template, style=STYLE, **values)


def plain_response(html: str, status: int = 200) -> Response:
    """A plain page, which may load nothing but its own style and pictures of this server."""
    headers = {
        "cache-control": "no-store",
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
    }
    return HTMLResponse(html, status_code=status, headers=headers)
