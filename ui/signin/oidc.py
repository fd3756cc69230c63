"""Hands the OIDC settings to Streamlit, which reads them only from a file."""

import json
import logging
from urllib.request import urlopen

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from streamlit import config

from store.settings import Settings
from ui.signin.door import SIGN_IN
from ui.web.plain_page import plain_html, plain_response

log = logging.getLogger(__name__)

ANSWER_S = 5


def oidc_routes(settings: Settings) -> list[Route]:
    """The way from the sign-in page to the identity provider, where accounts are in use."""

    async def go_to_provider(_request: Request) -> Response:
        """The sign-in of your identity provider; only with accounts."""
        from streamlit.user_info import generate_login_redirect_url

        if fault := await run_in_threadpool(_find_fault, settings.oidc_metadata_url):
            log.warning("nobody can sign in: %s gives no metadata (%s)", settings.oidc_metadata_url, fault)
            sentence = "the identity provider does not answer, so nobody can sign in now; try again later"
            return plain_response(
                plain_html("signin/sign_in.html", sentence=sentence, path=settings.below(SIGN_IN)), 503
            )
        return RedirectResponse(generate_login_redirect_url("default"), headers={"cache-control": "no-store"})

    return [Route(SIGN_IN, go_to_provider, methods=["GET"])] if settings.sign_in == "oidc" else []


def _find_fault(metadata_url: str) -> str:
    """Why the provider cannot be used now; empty when it can. Streamlit would say only "Authentication error"."""
    try:
        with urlopen(metadata_url, timeout=ANSWER_S) as answer:
            return "" if isinstance(json.load(answer), dict) else "it is no object"
    except (OSError, ValueError) as error:
        return str(error)


def write_oidc_secrets(settings: Settings) -> None:
    """Writes the `[auth]` section that Streamlit needs into the data folder, readable only by this user."""
    auth = {
        "redirect_uri": settings.shown_address + "/oauth2callback",
        "cookie_secret": settings.secret,
        "client_id": settings.oidc_client_id,
        "client_secret": settings.oidc_client_secret,
        "server_metadata_url": settings.oidc_metadata_url,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in auth.items()]  # a JSON string is a TOML string
    path = settings.data_dir / ".oidc.toml"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text("\n".join(["[auth]", *lines, ""]), encoding="utf-8")
    config.set_option("secrets.files", [str(path.resolve())])
