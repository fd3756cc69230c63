"""The examples of docs/operator/people.md, run as they stand in front of the real pages."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from bench.rate.browser import FLAGS, find_chromium, free_port
from feedback.people.invitations import invite, revoke_invitations
from store.engine import reading
from store.tables import Rater, Vote
from tests.ui.conftest import PATIENCE_MS, Served
from tests.ui.rate.test_rating_page import all_sent, press
from tests.ui.signin.conftest import SECRET
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PEOPLE = Path(__file__).parents[3] / "docs/operator/people.md"
NAME = "rate.example.org"


def example(kind: str, word: str) -> str:
    """The code block of that kind which holds the word."""
    blocks = re.findall(rf"```{kind}\n(.*?)```", PEOPLE.read_text(encoding="utf-8"), re.S)
    [block] = [block for block in blocks if word in block]
    return block


def start(command: list[str], port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}: apt-get install {command[0]}")
    process = subprocess.Popen(command, env=os.environ | environment)

    def listens() -> bool:
        assert process.poll() is None, f"{command[0]} ended by itself"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens, f"{command[0]} to listen")
    return process


def certificate(folder: Path) -> tuple[Path, Path]:
    key, pem = folder / "key", folder / "pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    subprocess.run([*command, "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem, key


def nginx(folder: Path, port: int, upstream: int, example: str) -> "subprocess.Popen[bytes]":
    pem, key = certificate(folder)
    for shown, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/rate.example.org.pem", str(pem)),
        ("/etc/ssl/rate.example.org.key", str(key)),
        ("127.0.0.1:8501", f"127.0.0.1:{upstream}"),
    ):
        assert shown in example
        example = example.replace(shown, ours)
    kept = "".join(f"{kind}_temp_path {folder};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    alone = f"daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{alone}http {{\naccess_log off;\n{kept}{example}}}\n")
    return start(["nginx", "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"], port, {})


def caddy(folder: Path, port: int, upstream: int, example: str) -> "subprocess.Popen[bytes]":
    example = example.replace(NAME, f"http://{NAME}:{port}").replace("127.0.0.1:8501", f"127.0.0.1:{upstream}")
    (folder / "Caddyfile").write_text(f"{{\nadmin off\nauto_https off\n}}\n{example}")
    homes = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    return start(["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"], port, homes)


NGINX = example("nginx", "proxy_pass")
CADDY = example("text", "reverse_proxy")
WITHOUT_HOST = NGINX.replace("        proxy_set_header Host $http_host;\n", "")
PROXIES: dict[str, tuple[Callable, str, str]] = {
    "nginx": (nginx, NGINX, "https"),
    "nginx with its own Host": (nginx, WITHOUT_HOST, "https"),
    "caddy": (caddy, CADDY, "http"),
}


@pytest.fixture(scope="module")
def outside(chromium: Browser) -> Iterator[Browser]:
    """A browser that knows this machine as rate.example.org."""
    rules = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
    browser = chromium.browser_type.launch(executable_path=find_chromium(), args=[*FLAGS, rules, "--no-proxy-server"])
    yield browser
    browser.close()


@pytest.fixture
def page(outside: Browser) -> Iterator[Page]:
    context = outside.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("proxy", PROXIES)
def test_an_invited_person_rates_through_the_proxy_of_the_docs(
    settings, engine, draw, page, tmp_path, monkeypatch, proxy
):
    run, text, scheme = PROXIES[proxy]
    draw(3)
    port = free_port()
    url = f"{scheme}://{NAME}:{port}"
    served = Served(settings.model_copy(update={"port": free_port()}))
    for name, value in {"SIGN_IN": "invitations", "SECRET": SECRET, "PUBLIC_URL": url}.items():
        monkeypatch.setitem(os.environ, f"NAYSAYER_{name}", value)
    process = run(tmp_path, port, served.settings.port, text)
    try:
        served.start()
        page.goto(url)
        page.get_by_text("Sign in first").wait_for()
        page.goto(f"{url}/naysayer/invited/{invite(engine, 'ann', days=1, secret=SECRET)}")
        press(page, "j")  # drawn over the websocket
        all_sent(page)
        with reading(engine) as session:
            assert session.exec(select(Rater.name).join(Vote)).all() == ["ann"]
        assert page.evaluate("fetch('/naysayer/metrics').then((answer) => answer.status)") == 403
        revoke_invitations(engine, "ann")
        press(page, "k")
        expect(page.locator(".note")).to_contain_text("This invitation was revoked; ask for a new one.")
        expect(page.locator(".note")).to_contain_text("1 vote waiting to be sent")
    finally:
        served.kill()
        process.kill()
        process.wait(PATIENCE_S)


def test_a_page_under_a_name_that_the_server_does_not_know_says_so(settings, engine, draw, serve, page, tmp_path):
    draw(1)
    port = free_port()
    with serve(settings) as served:
        process = nginx(tmp_path, port, served.settings.port, WITHOUT_HOST)
        try:
            page.goto(f"https://{NAME}:{port}")
            page.get_by_text("let the proxy pass on the Host header").wait_for()
        finally:
            process.kill()
            process.wait(PATIENCE_S)
