"""Which settings sign-in needs, and what it is needed for."""

from ipaddress import ip_address
from typing import TYPE_CHECKING

from store.secrets import find_fault

if TYPE_CHECKING:
    from store.settings import Settings

OF_THE_PAGES = (
    *("host", "port", "sign_in", "secret", "public_url", "allowed_hosts", "admins", "metrics_open"),
    *("oidc_client_id", "oidc_client_secret", "oidc_metadata_url"),
)
"""What only the pages read: neither drawing nor a retrain depends on it."""


def check_sign_in(settings: "Settings") -> None:
    """Raises ValueError when others can reach the pages without signing in, or a part of the sign-in is missing."""
    is_public = settings.host != "localhost" and not ip_address(settings.host).is_loopback
    if settings.sign_in == "name":
        if is_public:
            raise ValueError(
                f"NAYSAYER_HOST is {settings.host}, which others can reach, and anybody could vote under any name; "
                "set NAYSAYER_SIGN_IN to invitations or oidc (docs/operator/people.md), or keep 127.0.0.1"
            )
        return
    if fault := find_fault("NAYSAYER_SECRET", settings.secret):
        raise ValueError(f"{fault} (sign-in needs it)")
    if not settings.public_url:
        raise ValueError("sign-in needs NAYSAYER_PUBLIC_URL, the address people open, e.g. https://rate.example.org")
    if settings.sign_in == "oidc" and not all(
        (settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_metadata_url)
    ):
        raise ValueError(
            "oidc needs NAYSAYER_OIDC_CLIENT_ID, NAYSAYER_OIDC_CLIENT_SECRET and NAYSAYER_OIDC_METADATA_URL"
        )
