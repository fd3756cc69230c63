"""Every page and state for axe-core, in both themes and at both widths; and how far each page moves while it loads."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from bench.rate.browser import free_port
from feedback.people.invitations import invite
from feedback.rate.controls import make_controls
from feedback.rate.guidelines import write_guidelines
from feedback.rate.queue import next_images
from feedback.rate.votes import Press, record_votes
from store.engine import writing
from store.settings import Settings
from store.tables import PersonRole, Reason, Run, RunProgress, RunStatus, Verdict
from tests.ui.conftest import PATIENCE_MS, Served, put_pictures
from tests.ui.dashboard.conftest import TERMS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
STREAMLITS = {
    # Its link to the content, first on each page and outside its landmarks; seen only while it has the focus.
    ("region", 'data-testid="stSkipToContent"'),
}
"""Streamlit's own markup, which we cannot change: a rule, and what marks the element."""
MOST_SHIFT = 0.1
SECRET = "a secret of more than thirty-two characters"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SHIFT = """
  window.shift = 0;
  const add = (one) => { if (!one.hadRecentInput) window.shift += one.value; };
  new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({type: "layout-shift", buffered: true});
"""
WIDTH = "Math.max(...[...document.querySelectorAll('.stMain, body')].map((part) => part.scrollWidth))"
VIOLATIONS = """
async (runOnly) => (await axe.run(document, {runOnly, resultTypes: ["violations"]})).violations.flatMap(
  ({id, nodes}) => nodes.map(({target, html, any, all, none}) => [id, target.flat(9).join(" "),
    [...any, ...all, ...none].map(({message}) => message).join("; "), html.slice(0, 120)]))"""


@pytest.fixture
def served(
    settings: Settings, compared: Engine, hold_retrain_lock: Callable, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """The pages of a store in which everything has happened once, for people who are invited."""
    put_pictures(settings, compared, 9, first_seed=100)
    for rater, verdict in (("ada", Verdict.reject), ("bo", Verdict.keep)):
        images = next_images(compared, rater, TERMS, count=3)
        why = (Reason.hands,) if verdict is Verdict.reject else ()
        record_votes(
            compared,
            rater,
            [Press(f"{rater} {one.image_id}", one.image_id, verdict, reasons=why) for one in images],
            TERMS,
        )
    make_controls(compared, [1], Verdict.reject, by="root")
    write_guidelines(compared, "# Look at\n\n- hands\n- [words](https://example.org)", "root")
    with writing(compared) as session:
        run = Run(status=RunStatus.running, step=400, steps=1000)
        session.add(run)
        session.flush()
        stage = {"name": "fitting", "phase": "fit", "kind": "fit", "work": 300, "done": 120, "seconds": 40}
        curve = [{"step": n, "loss": 1 / n} for n in (1, 2, 4)]
        session.add(RunProgress(run_id=run.id, stages=[stage], curve=curve, strengths=[]))
    served = Served(settings.model_copy(update={"port": free_port()}))
    for name, value in {
        "SIGN_IN": "invitations",
        "SECRET": SECRET,
        "PUBLIC_URL": served.url,
        "PROMOTION": "gate",
    }.items():
        monkeypatch.setitem(os.environ, f"NAYSAYER_{name}", value)
    with hold_retrain_lock(compared):
        served.start()
        yield served
        served.kill()


class Watch:
    """What was found on the pages so far."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: list[str] = []

    def look(self, state: str, *, is_small: bool = False) -> None:
        """All rules in one theme, and the contrasts in the other; a phone first shows the dark one."""
        first, second = ("dark", "light") if is_small else ("light", "dark")
        self.page.set_viewport_size(PHONE if is_small else DESK)
        for theme, rules in ((first, RULES), (second, ["color-contrast"])):
            self.page.emulate_media(color_scheme=theme)
            self.page.wait_for_timeout(250)  # colours fade
            if not self.page.evaluate("'axe' in window"):
                self.page.evaluate(AXE.read_text(encoding="utf-8"))
            for rule, target, why, html in self.page.evaluate(VIOLATIONS, rules):
                if not any(rule == one and part in html for one, part in STREAMLITS):
                    self.found.append(
                        f"{state}, {theme}{', phone' if is_small else ''}: {rule} at {target}: {why}: {html}"
                    )

    def both(self, state: str) -> None:
        """The state at both widths."""
        self.look(state)
        self.look(state, is_small=True)

    def open(self, url: str, ready: str) -> None:
        """Loads a page at both widths, and looks at it; nothing on it may move far."""
        for is_small in (False, True):
            self.page.set_viewport_size(PHONE if is_small else DESK)
            self.page.goto(url)
            self.page.locator(ready).first.wait_for()
            self.page.wait_for_timeout(500)
            if (shift := self.page.evaluate("window.shift")) >= MOST_SHIFT:
                self.found.append(f"{url} moves by {shift:.3f} at {self.page.viewport_size}")
            if is_small and (width := self.page.evaluate(WIDTH)) > PHONE["width"]:
                self.found.append(f"{url} is {width} px wide on a phone")
            if not self.page.title().endswith("· Naysayer"):
                self.found.append(f"{url} is called {self.page.title()!r}")
            self.look(url.partition("//")[2].partition("/")[2] or "rate", is_small=is_small)


@pytest.fixture
def watch(chromium: Browser) -> Iterator[Watch]:
    if not AXE.exists():
        pytest.skip("axe-core is not there: `make lint` brings it with npm, for which Node 20 or newer is needed")
    context = chromium.new_context(viewport=DESK)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(SHIFT)
    yield Watch(context.new_page())
    context.close()


def test_every_page_can_be_used_by_everybody_and_stays_where_it_is(served: Served, watch: Watch, compared) -> None:
    walk_strangers(watch, served.url)
    enter(watch, served.url, compared, "ann", PersonRole.rater)
    walk_rating(watch, served.url)
    enter(watch, served.url, compared, "root", PersonRole.admin)
    walk_pages(watch, served.url)
    assert watch.found == [], "\n".join(watch.found)


def enter(watch: Watch, url: str, engine: Engine, name: str, role: PersonRole) -> None:
    watch.page.goto(f"{url}/naysayer/invited/{invite(engine, name, days=1, secret=SECRET, role=role)}")


def walk_strangers(watch: Watch, url: str) -> None:
    watch.open(f"{url}/", "h1")
    watch.open(f"{url}/naysayer/invited/1.00", "h1")


def walk_rating(watch: Watch, url: str) -> None:
    page = watch.page
    page.locator("dialog.guidelines[open]").wait_for()
    watch.both("guidelines")
    watch.open(f"{url}/", ".frame img")
    for tool in ("help", "history"):
        page.locator(f"[data-tool={tool}]").click()
        watch.both(tool)
        page.locator("dialog[open] .close").click()
    page.locator("[data-mode=sweep]").click()
    page.locator(".cell").first.click()
    watch.both("sweep")
    page.locator("[data-mode=one]").click()
    page.evaluate(
        "document.querySelectorAll('*').forEach(e => e.shadowRoot?.querySelector('.who')?.toggleAttribute('hidden'))"
    )
    watch.both("name")
    watch.open(f"{url}/?simple=1", ".ns-title, h1")
    watch.open(f"{url}/naysayer/plain", "h1")
    watch.open(f"{url}/setup", ".ns-alert")


def walk_menu(page: Page) -> None:
    """On a phone, the menu closes by itself once a page is chosen."""
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Versions").click()
    page.locator("[data-testid=stSidebar][data-collapsed=true]").wait_for(state="attached")


def walk_pages(watch: Watch, url: str) -> None:
    page = watch.page
    whole = "[data-naysayer-whole] .ns-title"
    for name in ("overview", "raters", "playground", "nothing"):
        watch.open(f"{url}/{name}", whole if name != "nothing" else "[role=dialog]")
    walk_menu(page)
    watch.open(f"{url}/versions?v=2", whole)
    for name in page.get_by_role("tab").all_inner_texts():
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(700)
        watch.both(f"versions, {name}")
    for button in ("Promote v2…", "Roll back…", "Withdraw v2…", "Stop the retrain…"):
        page.get_by_role("button", name=button).click()
        page.get_by_role("dialog").get_by_label("Reason").wait_for()
        watch.both(button)
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        page.get_by_role("dialog").wait_for(state="detached")
    watch.open(f"{url}/pool", ".thumbs .open")
    page.locator(".thumbs .tick").first.click()
    watch.both("pool, selection")
    page.locator(".thumbs .open").first.click()
    watch.both("pool, viewer")
    parts = (
        "Prompts",
        "Pictures",
        "Invitations",
        "API+tokens",
        "Guidelines",
        "Settings",
        "Controls",
        "Evaluation+sets",
    )
    for part in parts:
        watch.open(f"{url}/setup?part={part}", whole)
