"""Uses every command, page and route on a machine that is alone, and prints what was sent to others as JSON.

`python -m tests.ui.outside.alone everything` uses them; any other words are a program to run instead.
"""

import json
import re
import subprocess
import sys
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from playwright.sync_api import Page, expect, sync_playwright

from bench.rate.browser import FLAGS, find_chromium, free_port, serving
from tests.ui.outside.watch import Watch
from tests.ui.test_every_disk import IN_A_PLACE
from tests.waiting import PATIENCE_S, until

BEFORE = "simulate --raters 1 --votes 8"
"""Draws, votes, trains and publishes, so that every command finds something."""
WHOLE = "[data-naysayer-whole] .ns-title"
READY = {"/": ".who input", "/naysayer/plain": "h1", "/?simple=1": "h1, .ns-title"}
NO_NAMES = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""The browser asks its own maker for things, which is not our doing. What a page asks for, it still tells."""
AFTERWARDS_MS = 300
"""What a tab asks for once it is drawn, it asks for by then."""
ELSEWHERE = "https://elsewhere.example/x.png"


def use_commands() -> list[str]:
    """Runs every command; its words and its exit code."""
    subprocess.run([sys.executable, "-m", "ui.commands", *BEFORE.split()], stdout=subprocess.DEVNULL, check=True)
    ran = subprocess.run([sys.executable, "-c", IN_A_PLACE], stdout=subprocess.PIPE, text=True, check=True)
    return [f"{' '.join(words)}: {code}" for words, code, _, _ in map(json.loads, ran.stdout.splitlines())]


def use_pages(url: str) -> dict[str, list[str]]:
    """Opens every page with its tabs; their addresses, and what they asked for."""
    from ui.dashboard.setup.page import PARTS
    from ui.server import ADDRESSES

    addresses = [*ADDRESSES, *list(READY)[1:], *(f"/setup?part={quote(part)}" for part in PARTS)]
    asked: list[str] = []
    expect.set_options(timeout=1000 * PATIENCE_S)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS, NO_NAMES])
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(1000 * PATIENCE_S)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: asked.append(socket.url))
        for address in addresses:
            page.goto(url + address)
            page.locator(READY.get(address, WHOLE)).first.wait_for()
            open_tabs(page)
        found = sorted({one for one in asked if not one.startswith(("data:", "blob:"))})
        page.set_content(f'<img src="{ELSEWHERE}">')
        until(lambda: page.evaluate("1") and ELSEWHERE in asked, "the browser to tell what a page asks for elsewhere")
        browser.close()
    return {"pages": addresses, "asked": found}


def open_tabs(page: Page) -> None:
    """Opens each tab of a page, if it has any, and waits until it is drawn."""
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        page.wait_for_timeout(AFTERWARDS_MS)


def use_routes(url: str) -> list[str]:
    """Asks for every address that a GET reaches."""
    from ui.server import app

    paths = [route.path for route in app._user_routes if "GET" in (getattr(route, "methods", None) or ())]
    for path in paths:
        try:
            urlopen(url + re.sub(r"\{.*?\}", "1", path), timeout=PATIENCE_S).close()
        except HTTPError as refused:
            refused.close()
    return paths


def use_everything() -> dict[str, list[str]]:
    """All that was used, by kind."""
    commands, port = use_commands(), free_port()
    command, where = [sys.executable, "-m", "ui.commands", "run"], {"NAYSAYER_PORT": str(port)}
    with serving(command, port, where, patience_s=PATIENCE_S) as url:
        return {"commands": commands, "routes": use_routes(url), **use_pages(url)}


def main(words: list[str]) -> None:
    """Prints one object of what was used and what was sent."""
    watch, used = Watch(), {}
    if words == ["everything"]:
        used = use_everything()
    else:
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    print(json.dumps({"sent": watch.attempts(), **used}))


if __name__ == "__main__":
    main(sys.argv[1:])
