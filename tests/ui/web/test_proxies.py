"""The examples of docs/operator/people.md, run as they stand in front of the real pages."""

import os
import re
import shutil
import socket
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect
from sqlalchemy import Engine
from sqlmodel import select

from bench.rate.browser import FLAGS, find_chromium, free_port
from feedback.people.invitations import invite, link_of, revoke_invitations
from store.engine import reading
from store.migrate import open_store
from store.settings import Settings
from store.tables import PersonRole, Rater, Vote
from tests.ui.conftest import PATIENCE_MS, Served, put_pictures
from tests.ui.rate.test_rating_page import all_sent, press
from tests.ui.signin.conftest import SECRET
from tests.waiting import PATIENCE_S, until
from ui.signin.door import STRANGERS
from ui.signin.people import COOKIE, MAY_OPEN

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
CADDY, CADDY_BELOW = example("text", "reverse_proxy 127"), example("text", "reverse_proxy /rate/*")
WITHOUT_HOST = NGINX.replace("        proxy_set_header Host $http_host;\n", "")
PROXIES: dict[str, tuple[Callable, str, str, str]] = {
    "nginx": (nginx, NGINX, "https", ""),
    "nginx with its own Host": (nginx, WITHOUT_HOST, "https", ""),
    "caddy": (caddy, CADDY, "http", ""),
    "caddy below a path": (caddy, CADDY_BELOW, "http", "/rate"),
}
NGINX_BELOW = "location /rate/ {"


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
    run, text, scheme, base = PROXIES[proxy]
    draw(3)
    port = free_port()
    url = f"{scheme}://{NAME}:{port}"
    served = Served(settings.model_copy(update={"port": free_port()}))
    for name, value in {"SIGN_IN": "invitations", "SECRET": SECRET, "PUBLIC_URL": url, "BASE_PATH": base}.items():
        monkeypatch.setitem(os.environ, f"NAYSAYER_{name}", value)
    process = run(tmp_path, port, served.settings.port, text)
    try:
        served.start()
        page.goto(url + base)
        page.get_by_text("Sign in first").wait_for()
        page.goto(f"{url}{base}/naysayer/invited/{invite(engine, 'ann', days=1, secret=SECRET)}")
        press(page, "j")  # drawn over the websocket
        all_sent(page)
        with reading(engine) as session:
            assert session.exec(select(Rater.name).join(Vote)).all() == ["ann"]
        assert page.evaluate("fetch('./naysayer/metrics').then((answer) => answer.status)") == 403
        revoke_invitations(engine, "ann")
        press(page, "k")
        expect(page.locator(".note")).to_contain_text("This invitation was revoked; ask for a new one.")
        expect(page.locator(".note")).to_contain_text("1 vote waiting to be sent")
    finally:
        served.kill()
        process.kill()
        process.wait(PATIENCE_S)


@pytest.fixture
def start_below(settings, monkeypatch) -> Iterator[Callable[..., Served]]:
    """Starts the pages of a store with invitations below a path; all end with the test."""
    started: list[Served] = []

    def start_one(url: str, base: str, own: Settings) -> Served:
        served = Served(own.model_copy(update={"port": free_port()}))
        for name, value in {"SIGN_IN": "invitations", "SECRET": SECRET, "PUBLIC_URL": url, "BASE_PATH": base}.items():
            monkeypatch.setitem(os.environ, f"NAYSAYER_{name}", value)
        served.start()
        started.append(served)
        return served

    yield start_one
    for served in started:
        served.kill()


def test_two_stores_below_two_paths_of_one_host_do_not_mix(
    settings, engine, draw, outside, page, tmp_path, start_below
):
    other = settings.model_copy(update={"data_dir": tmp_path / "other"})
    others = open_store(other)
    draw(4)
    put_pictures(other, others, 4)
    port = free_port()
    url = f"https://{NAME}:{port}"
    below, beside = start_below(url, "/rate", settings), start_below(url, "/other", other)
    assert NGINX_BELOW in PEOPLE.read_text(encoding="utf-8")
    [block] = re.findall(r"    location / \{.*?\n    \}\n", NGINX, re.S)
    second = block.replace("location /", "location /other/").replace("8501", str(beside.settings.port))
    config = NGINX.replace(block, block.replace("location / {", NGINX_BELOW) + second)
    process = nginx(tmp_path, port, below.settings.port, config)
    requests: list[Request] = []
    refused: list[tuple[int, str]] = []
    page.on("request", lambda request: requests.append(request))
    page.on("response", lambda answer: answer.status >= 400 and refused.append((answer.status, answer.url)))
    try:
        page.goto(f"{url}/rate")  # without the slash
        page.get_by_text("Sign in first").wait_for()
        token = invite(engine, "ann", days=1, secret=SECRET, role=PersonRole.admin)
        public = settings.model_copy(update={"public_url": url, "base_path": "/rate"})
        page.goto(link_of(public, token))
        press(page, "j")  # drawn over the websocket
        until(lambda: votes_in(engine) == ["ann"], "the vote to arrive")
        assert {status for status, _ in refused} <= {401}
        refused.clear()
        page.route("**/rate/naysayer/votes", lambda route: route.abort())
        press(page, "k")  # waits in this browser, for this store
        for title in MAY_OPEN[PersonRole.admin][1:]:
            page.get_by_role("link", name=title, exact=True).first.click()
            page.wait_for_url(f"{url}/rate/{title.lower()}**")
            page.locator("[data-naysayer-whole] .ns-title").get_by_text(title).first.wait_for()
        page.goto(f"{url}/rate/pool")  # at its own address
        expect(page.locator(".thumbs img").first).to_be_visible()
        with page.expect_download() as download:
            page.locator("a.export").click()
        assert zipfile.is_zipfile(download.value.path())
        page.goto(f"{url}/rate/naysayer/plain")
        page.get_by_role("button", name="Reject").click()
        page.get_by_text("Rejected").wait_for()
        assert refused == []
        page.goto(f"{url}/other/")
        page.get_by_text("Sign in first").wait_for()  # the invitation is the other store's
        page.goto(f"{url}/other/naysayer/invited/{invite(others, 'ann', days=1, secret=SECRET)}")
        press(page, "j")
        until(lambda: votes_in(others) == ["ann"], "the vote to arrive")
        assert votes_in(engine) == ["ann", "ann"]
        page.goto(f"{url}/rate/")
        expect(page.locator(".name")).to_have_text("ann")
        page.unroute("**/rate/naysayer/votes")
        until(lambda: votes_in(engine) == ["ann", "ann", "ann"], "the vote that waited to arrive")
        assert votes_in(others) == ["ann"]
        paths = {urlsplit(one.url).path for one in requests if one.url.startswith(url)}
        assert [path for path in paths if not path.startswith(("/rate/", "/other/")) and path != "/rate"] == []
        assert {(one["name"], one["path"]) for one in page.context.cookies()} >= {(COOKIE, "/rate"), (COOKIE, "/other")}
        assert {one["path"] for one in page.context.cookies()} == {"/rate", "/other"}
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        others.dispose()


@pytest.mark.parametrize(("proxies", "are_told_apart"), [("127.0.0.1,::1", True), ("10.0.0.0/8", False)])
def test_strangers_are_told_apart_only_by_a_trusted_proxy(
    settings, engine, start_below, monkeypatch, proxies, are_told_apart
):
    monkeypatch.setitem(os.environ, "NAYSAYER_TRUSTED_PROXIES", proxies)
    served = start_below("http://127.0.0.1", "", settings)
    senders = [f"198.51.{number // 250}.{number % 250}" for number in range(STRANGERS[1] + 100)]
    with httpx.Client(base_url=served.url) as client, ThreadPoolExecutor(8) as several:

        def ask(forwarded: str) -> int:
            return client.get("/", headers={"x-forwarded-for": forwarded}).status_code

        assert set(several.map(ask, senders)) == ({401} if are_told_apart else {401, 429})
        # What the client itself wrote stands before what the proxy adds.
        assert 429 in several.map(ask, [f"{sender}, 203.0.113.9" for sender in senders])


def votes_in(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.exec(select(Rater.name).join(Vote).order_by(Vote.id)))


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
