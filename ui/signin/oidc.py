"""Hands the OIDC settings to Streamlit, which reads them only from a file."""

import json

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from streamlit import config

from store.settings import Settings
from ui.signin.door import SIGN_IN


def oidc_routes(settings: Settings) -> list[Route]:
    """The way from the sign-in page to the identity provider, where accounts are in use."""

    async def go_to_provider(_request: Request) -> RedirectResponse:
        """The sign-in of your identity provider; only with accounts."""
        from streamlit.user_info import generate_login_redirect_url

        return RedirectResponse(generate_login_redirect_url("default"), headers={"cache-control": "no-store"})

    return [Route(SIGN_IN, go_to_provider, methods=["GET"])] if settings.sign_in == "oidc" else []


def write_oidc_secrets(settings: Settings) -> None:
    """Writes the `[auth]` section that Streamlit needs into the data folder, readable only by this user."""
    auth = {
        "redirect_uri": settings.public_url + "/oauth2callback",
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
