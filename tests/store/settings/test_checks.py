from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from store.errors import BadRequest
from store.settings import Settings, checks
from store.settings.file import WithoutFile, keep, origins, read_data_dir, read_settings
from store.settings.sources import SETTINGS_FILE


@pytest.mark.parametrize(
    "value",
    ["100", "0", "-8", "9992", "8.5", "1e9", "99999999999999999999", "inf", "nan", "x"],
)
@pytest.mark.parametrize("name", ["width_px", "height_px"])
def test_a_size_that_cannot_be_drawn_is_refused(name, value):
    with pytest.raises(BadRequest, match=name.upper()):
        keep(read_data_dir(), name, value)


NUMBERS = [
    name for name, field in Settings.model_fields.items() if {int, float} & set(checks.kinds_of(field.annotation))
]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e400", "100000000000000000000", "-1"])
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_bounds(name, value):
    with pytest.raises(BadRequest, match=f"NAYSAYER_{name.upper()} cannot be used"):
        keep(read_data_dir(), name, value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("zzz", "no database URL"),
        ("postgresql://ada:hunter2@h:99x/db", "no database URL"),
        ("mysql://ada:hunter2@h/db", "mysql is no kind of database"),
        ("sqlite+aiosqlite:///x.db", "no kind of database"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///$HOME/x.db", "no shell has filled in"),
        ("http://ada:hunter2@h/db", "no kind of database"),
    ],
)
def test_a_database_that_no_store_can_be_in_is_refused_without_its_password(shell, url, sentence):
    shell.setenv("NAYSAYER_STORE_URL", url)
    with pytest.raises(BadRequest, match=sentence) as refused:
        read_settings()
    assert "hunter2" not in str(refused.value)


def test_the_home_folder_is_meant_in_a_database_url_too(shell, tmp_path):
    shell.setenv("HOME", str(tmp_path))
    shell.setenv("NAYSAYER_STORE_URL", "sqlite:///~/x.db")
    assert read_settings().url == f"sqlite:///{tmp_path}/x.db"


def test_a_password_in_a_database_url_is_never_shown_nor_kept(shell, tmp_path):
    url = "postgresql://ada:hunter2@db/naysayer?sslpassword=hunter2"
    with pytest.raises(BadRequest, match="cannot be kept") as refused:
        keep(read_data_dir(), "store_url", url)
    assert "hunter2" not in str(refused.value)
    shell.setenv("NAYSAYER_STORE_URL", url)
    shell.setenv("NAYSAYER_WEBHOOK_URL", "https://hooks.example.org/services/hunter2?key=hunter2")
    assert "hunter2" not in "".join(origin.words for origin in origins(read_settings()))
    assert "hunter2" not in repr(read_settings())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text(f'store_url = "{url}"\n')
    with pytest.raises(BadRequest, match="cannot be kept") as refused:
        read_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["data_dir", "model", "model_config_source", "vae", "refiner"])
def test_a_dollar_sign_is_refused_in_every_path_wherever_it_stands(shell, name, tmp_path):
    shell.setenv(f"NAYSAYER_{name.upper()}", "$HOME/sdxl")
    with pytest.raises(BadRequest, match="no shell has filled in"):
        read_settings()
    shell.delenv(f"NAYSAYER_{name.upper()}")
    (tmp_path / ".env").write_text(f"NAYSAYER_{name.upper()}=${{NOWHERE}}/sdxl\n")
    with pytest.raises(BadRequest, match="no shell has filled in"):
        read_settings()


def test_a_dollar_sign_in_a_secret_of_dotenv_stays(tmp_path):
    (tmp_path / ".env").write_text("NAYSAYER_WEBHOOK_SECRET=" + "pa${x}" * 6 + "\n")
    assert read_settings().webhook_secret == "pa${x}" * 6


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("https://huggingface.co/stabilityai/sdxl-vae", "write the hub id stabilityai/sdxl-vae$"),
        ("huggingface.co/stabilityai/sdxl-vae/", "write the hub id stabilityai/sdxl-vae$"),
        ("hf://stabilityai/sdxl-vae", "write the hub id"),
        ("https://hf.co/stabilityai/sdxl-vae?token=hunter2", "write the hub id stabilityai/sdxl-vae$"),
        ("git@hf.co:stabilityai/sdxl-vae.git", "write the hub id stabilityai/sdxl-vae$"),
        ("https://huggingface.co/x/y/tree/fp16", r"write the hub id x/y \(NAYSAYER_MODEL_REVISION=fp16"),
        ("https://huggingface.co/x/y/resolve/main/z.safetensors", "one file; write the hub id x/y, or download"),
        ("https://civitai.com/api/download/models/1?token=hunter2", "download the file"),
        ("x/y@main", r"write x/y \(NAYSAYER_MODEL_REVISION=main"),
        ("x/y:fp16", r"write x/y \(NAYSAYER_MODEL_REVISION=fp16"),
    ],
)
def test_a_web_address_or_a_revision_in_a_models_name_is_refused_with_the_right_form(name, sentence):
    for setting in ("model", "vae", "refiner", "model_config_source"):
        with pytest.raises(BadRequest, match=sentence.rstrip("$")) as refused:
            keep(read_data_dir(), setting, name)
        assert "hunter2" not in str(refused.value)


def test_a_local_file_may_have_an_at_sign(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "y@main").mkdir()
    keep(read_data_dir(), "model", "x/y@main")
    assert read_settings().model == str(tmp_path / "x" / "y@main")


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/naysayer",
        "https://a.example?x=1",
        "https://a.example/#x",
        "https://me:hunter2@a.example",
        "ftp://a.example",
        "a.example",
        "https://",
        "https://a.example:99999",
        "https://a.example:port",
        "http://0.0.0.0:8501",
        "https://a example",
        "https://[::1",
        "https://a..b",
        "https://-",
        "https://a.example?",
        "https://a.example/#",
        "https://a.example\\x",
        "javascript:alert(1)",
    ],
)
def test_a_public_address_that_cannot_work_is_refused(url):
    with pytest.raises(BadRequest, match="NAYSAYER_PUBLIC_URL cannot be used") as refused:
        keep(read_data_dir(), "public_url", url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "path", ["rate", "/", "/rate/", "//rate", "/a//b", "/a/../b", "/ä", "/a b", "/%72ate", "/a?b", "/a;b"]
)
def test_a_base_path_that_cannot_work_is_refused(path):
    with pytest.raises(BadRequest, match=r"NAYSAYER_BASE_PATH cannot be used.*/ and a name of letters"):
        keep(read_data_dir(), "base_path", path)


def test_below_a_path_people_open_the_public_address_with_it():
    for name, value in {"base_path": "/teams/a-1", "public_url": "https://rate.example.org"}.items():
        keep(read_data_dir(), name, value)
    settings = read_settings()
    assert settings.shown_address == "https://rate.example.org/teams/a-1"
    assert settings.address == "http://127.0.0.1:8501/teams/a-1"
    assert settings.below("/naysayer/plain") == "/teams/a-1/naysayer/plain"
    with pytest.raises(BadRequest, match="write a path into NAYSAYER_BASE_PATH"):
        keep(read_data_dir(), "public_url", "https://rate.example.org/teams/a-1")


@pytest.mark.parametrize(
    "names", ["*", "proxy.example", "10.0.0.0/33", "127.0.0.1;10.0.0.1", "10.0.0.1:80", "127.0.0.1,"]
)
def test_a_proxy_that_cannot_be_known_is_refused(names):
    with pytest.raises(BadRequest, match=r"NAYSAYER_TRUSTED_PROXIES cannot be used.*addresses and networks"):
        keep(read_data_dir(), "trusted_proxies", names)


def test_proxies_are_kept_as_networks_are_written():
    assert read_settings().trusted_proxies == "127.0.0.1,::1"
    keep(read_data_dir(), "trusted_proxies", " 10.1.2.3/8 , 2001:DB8:0::1")
    assert read_settings().trusted_proxies == "10.0.0.0/8,2001:db8::1"


@pytest.mark.parametrize(
    ("given", "kept", "name"),
    [
        ("https://Bücher.example/", "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://Rate.Example.org", "https://rate.example.org", "rate.example.org"),
        ("HTTPS://rate.example.org.:443", "https://rate.example.org", "rate.example.org"),
        ("http://rate.example.org:80/", "http://rate.example.org", "rate.example.org"),
        ("http://rate.example.org:443", "http://rate.example.org:443", "rate.example.org"),
        ("https://[2001:DB8:0::1]:08443", "https://[2001:db8::1]:8443", "2001:db8::1"),
    ],
)
def test_a_public_address_is_kept_as_browsers_write_it(given, kept, name):
    keep(read_data_dir(), "public_url", given)
    assert read_settings().public_url == kept
    assert name in read_settings().host_names


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501"),
        ("::1", "http://[::1]:8501"),
        ("[::1]", "http://[::1]:8501"),
        ("localhost", "http://localhost:8501"),
        ("127.0.0.2", "http://127.0.0.2:8501"),
        ("0:0:0:0:0:0:0:1", "http://[::1]:8501"),
    ],
)
def test_the_address_of_the_pages_can_be_opened_and_is_answered(host, address):
    keep(read_data_dir(), "host", host)
    assert read_settings().address == address
    assert urlsplit(address).hostname in read_settings().host_names


def test_an_address_among_the_host_names_is_known_however_it_is_written():
    keep(read_data_dir(), "allowed_hosts", "[2001:DB8:0::1], 2001:db8::0:2, Rate.Example.org.")
    assert read_settings().host_names >= {"2001:db8::1", "2001:db8::2", "rate.example.org"}


@pytest.mark.parametrize(
    "names",
    [
        "https://a.example",
        "https://a.example:80",
        "a.example:80",
        "[::1]:8501",
        "*.example",
        "a/b",
        "a b",
        "a.example;b.example",
    ],
)
def test_host_names_are_only_host_names(names):
    with pytest.raises(BadRequest, match="host names only"):
        keep(read_data_dir(), "allowed_hosts", f"b.example, {names}")


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "a\x1bb", "\udcff"])
@pytest.mark.parametrize("name", ["negative_prompt", "data_dir", "model", "webhook_secret"])
def test_what_is_no_text_is_refused_without_being_shown(name, value):
    with pytest.raises(BadRequest, match="cannot be used") as refused:
        read_with(**{name: f"hunter2{value}"})
    assert "hunter2" not in str(refused.value)


def read_with(**values: str) -> None:
    try:
        WithoutFile(**values)
    except ValidationError as error:
        raise BadRequest(f"cannot be used: {error}") from error


def test_a_negative_prompt_of_several_lines_becomes_one(shell):
    shell.setenv("NAYSAYER_NEGATIVE_PROMPT", "blurry,\n\tbad hands\r\n")
    assert read_settings().negative_prompt == "blurry, bad hands"


def test_space_around_a_value_does_not_count(shell, tmp_path):
    shell.setenv("NAYSAYER_MODEL", " x/y/\r")
    shell.setenv("NAYSAYER_STRENGTH", " ")
    assert (read_settings().model, read_settings().strength) == ("x/y", None)


@pytest.mark.parametrize("name", NUMBERS)
def test_true_is_no_number(name, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SETTINGS_FILE).write_text(f"{name} = true\n")
    with pytest.raises(BadRequest, match=f"NAYSAYER_{name.upper()} in naysayer.toml"):
        read_settings()


def test_a_switch_takes_every_usual_word():
    for word, value in {"yes": True, "off": False, "1": True, "TRUE": True}.items():
        keep(read_data_dir(), "metrics_open", word)
        assert read_settings().metrics_open is value
