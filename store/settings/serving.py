"""Settings of serving the pages, which only they read: their addresses, and how people sign in."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator, model_validator

from store.secrets import find_fault
from store.settings import checks


class ServingSettings(BaseModel):
    """Where the pages are and who may come in; neither drawing nor a retrain depends on it."""

    host: str = Field("127.0.0.1", description="address the pages listen on; other machines need a sign-in")
    port: int = Field(8501, ge=1, le=65535, description="port of the pages")
    sign_in: Literal["name", "invitations", "oidc"] = Field(
        "name", description="name: anybody at this machine; invitations: signed links; oidc: accounts and signed links"
    )
    secret: str = Field(
        "", repr=False, description="signs cookies, invitations and picture addresses; 32 characters or more"
    )
    public_url: str = Field(
        "", description="address that people on other machines open, e.g. `https://rate.example.org`"
    )
    base_path: str = Field(
        "", description="path below which a proxy shows the pages, e.g. `/rate`; empty: they have their own host name"
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="addresses or networks of proxies, separated by commas; only their `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed",
    )
    allowed_hosts: str = Field("", description="other host names that the pages answer to, separated by commas")
    admins: str = Field("", description="e-mail addresses of admins, separated by commas")
    oidc_client_id: str = Field("", description="client id at the OIDC provider")
    oidc_client_secret: str = Field("", repr=False, description="client secret at the OIDC provider")
    oidc_metadata_url: str = Field("", description="the provider's `.well-known/openid-configuration` address")
    sort_dir: Path | None = Field(
        None,
        description="folder inside which the page Sort may read and move pictures; empty: any at this machine, "
        "none from another",
    )
    metrics_open: bool = Field(False, description="let other machines read the metrics")

    _is_web_address_of_provider = field_validator("oidc_metadata_url")(checks.check_web_address)
    _is_public_url = field_validator("public_url")(checks.check_public_url)
    _is_base_path = field_validator("base_path")(checks.check_base_path)
    _are_proxies = field_validator("trusted_proxies")(checks.check_networks)
    _is_host = field_validator("host")(checks.check_host)
    _are_host_names = field_validator("allowed_hosts")(checks.check_host_names)

    @model_validator(mode="after")
    def _is_public_only_with_a_sign_in(self) -> Self:
        check_sign_in(self)
        return self

    @property
    def host_names(self) -> frozenset[str]:
        """The names under which the pages answer, besides those that every machine has."""
        names = [name.strip() for name in self.allowed_hosts.split(",")] + [urlsplit(self.public_url).hostname or ""]
        names += [] if self.host in checks.ANY_ADDRESS else [self.host]
        return frozenset(checks.host_name(name) for name in names if name)

    @property
    def address(self) -> str:
        """Where a browser on this machine opens the pages.

        >>> ServingSettings(host="::1").address
        'http://[::1]:8501'
        """
        host = checks.in_address(checks.ANY_ADDRESS.get(self.host, self.host))
        return f"http://{host}:{self.port}{self.base_path}"

    @property
    def shown_address(self) -> str:
        """Where people open the pages: from elsewhere where that has an address, else on this machine."""
        return self.public_url + self.base_path if self.public_url else self.address

    def below(self, path: str) -> str:
        """The address of one of our paths, as browsers have to ask for it.

        >>> ServingSettings(base_path="/rate").below("/naysayer/plain")
        '/rate/naysayer/plain'
        """
        return self.base_path + path


OF_THE_PAGES = tuple(ServingSettings.model_fields)


def check_sign_in(settings: ServingSettings) -> None:
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
