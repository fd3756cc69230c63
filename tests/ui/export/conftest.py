"""A store with a published version and its files."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from store.engine import writing
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import Version

DIFFUSERS, KOHYA = b"the diffusers file", b"the kohya file"


@pytest.fixture
def published(settings: Settings, engine, publish_version) -> Settings:
    """A store with v1 of the rule same-prompt, its two files in place."""
    folder = layout_of(settings).version_folder(sha256_of(DIFFUSERS))
    folder.mkdir(parents=True)
    (folder / "pytorch_lora_weights.safetensors").write_bytes(DIFFUSERS)
    (folder / "naysayer_kohya.safetensors").write_bytes(KOHYA)
    publish_version(
        engine,
        1,
        sha256=sha256_of(DIFFUSERS),
        kohya_sha256=sha256_of(KOHYA),
        rule="same-prompt",
        strength=4.0,
        settings={"guidance_gain": 0.25},
    )
    return settings


@pytest.fixture
def as_if(published: Settings, engine: Engine) -> Callable[..., Version]:
    """A function that gives v1 another rule, another base or more settings; the version."""

    def as_if(settings: dict | None = None, **columns: object) -> Version:
        with writing(engine) as session:
            version = session.get_one(Version, 1)
            version.settings = version.settings | (settings or {})
            for name, value in columns.items():
                setattr(version, name, value)
            session.add(version)
        return version

    return as_if
