"""Who gets a version's files, and that they are those of the command line."""

import pytest
from starlette.testclient import TestClient

from feedback.people.decisions import give_role
from feedback.people.invitations import invite, revoke_invitations
from feedback.versions import get_version
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import PersonRole
from tests.ui.export.conftest import DIFFUSERS, KOHYA
from tests.ui.signin.conftest import PUBLIC, SECRET, client_of_routes
from ui.dashboard.versions.files import files_html
from ui.export.export import export_lora
from ui.export.files import Format
from ui.export.routes import export_address, export_routes
from ui.signin.people import COOKIE


def client_of(engine, settings: Settings, **cookies: str) -> TestClient:
    return client_of_routes(export_routes(lambda: engine, settings), **cookies)


@pytest.fixture
def client(published, engine) -> TestClient:
    return client_of(engine, published)


@pytest.fixture
def public(published) -> Settings:
    return Settings(**(PUBLIC | {"data_dir": published.data_dir}), _env_file=None)


def test_the_zip_is_the_one_that_the_command_writes(client, published, tmp_path):
    [path] = export_lora(published, 1, Format.comfyui, tmp_path, is_zipped=True)
    given = client.get(export_address(1, "comfyui"))
    assert given.content == path.read_bytes()
    assert given.headers["content-disposition"] == f'attachment; filename="{path.name}"'


@pytest.mark.parametrize(
    ("what", "content", "name"),
    [
        ("kohya", KOHYA, "naysayer-v1-kohya.safetensors"),
        ("diffusers", DIFFUSERS, "naysayer-v1-diffusers.safetensors"),
    ],
)
def test_a_lora_is_given_under_a_name_that_says_version_and_program(client, what, content, name):
    given = client.get(export_address(1, what))
    assert given.content == content
    assert name in given.headers["content-disposition"]


@pytest.mark.parametrize("base", ["builtin", "a/b"])
@pytest.mark.parametrize("rule", ["same-prompt", "woolf"])
def test_the_page_offers_nothing_that_is_not_given(client, published, as_if, rule, base):
    version = as_if(rule=rule, base_model=base)
    html = files_html(layout_of(published), version)
    offered = {part.split('"')[0] for part in html.split('href="')[1:]}
    assert offered == {export_address(1, what) for what in ("comfyui", "kohya", "diffusers", "card")}
    assert {client.get(address).status_code for address in offered} == {200}
    assert ("does not work there" in html) == (base == "builtin" or rule != "woolf")
    assert ("fits only that" in html) == (base == "builtin")
    assert f'data-copy="{sha256_of(KOHYA)}"' in html


def test_what_there_is_none_of_is_said(client, published, engine):
    assert "plain base" in client.get(export_address(0, "kohya")).json()["error"]
    assert client.get(export_address(9, "kohya")).status_code == 400
    assert "was asked for" in client.get(export_address(1, "forge")).json()["error"]
    folder = layout_of(published).version_folder(get_version(engine, 1).sha256)
    (folder / "naysayer_kohya.safetensors").write_bytes(b"altered")
    assert {client.get(export_address(1, what)).status_code for what in Format} == {503}


@pytest.mark.parametrize("role", PersonRole)
def test_only_who_may_open_versions_gets_files(engine, public, role):
    client = client_of(engine, public, **{COOKIE: invite(engine, "ann", days=1, secret=SECRET, role=role)})
    status = 200 if role is PersonRole.admin else 403
    assert {client.get(export_address(1, what)).status_code for what in (*Format, "card")} == {status}


def test_a_power_to_download_ends_with_the_role_or_the_invitation(engine, public):
    assert client_of(engine, public).get(export_address(1, "card")).status_code == 401
    client = client_of(engine, public, **{COOKIE: invite(engine, "ann", days=1, secret=SECRET, role=PersonRole.admin)})
    assert client.get(export_address(1, "comfyui")).status_code == 200
    give_role(engine, "ann", PersonRole.curator, by="root")
    assert client.get(export_address(1, "comfyui")).status_code == 403
    revoke_invitations(engine, "ann")
    assert client.get(export_address(1, "comfyui")).status_code == 401
