"""Versions and Overview in a browser: is it better, by how much, and what is to be done; by the gate and in auto."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from feedback.rate.votes import Press, record_votes
from feedback.versions import champion, events
from store.settings import Settings
from store.settings.file import keep
from store.tables import Action, Reason, Verdict
from tests.ui.dashboard.conftest import PAIRS, TERMS
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_pages_answer_what_is_better_and_what_to_do(
    settings: Settings, compared: Engine, serve: Callable, page: Page
) -> None:
    with serve(settings.model_copy(update={"promotion": "gate"})) as served:
        keep(settings.data_dir, "promotion", "gate")
        overview(page, served.url)
        rows_and_links(page, served.url)
        enlarged(page)
        refused(page, served.url, compared)
        set_aside(page, served.url, compared)
        reasons(page, served.url, compared)
        keep(settings.data_dir, "promotion", "auto")
        page.goto(f"{served.url}/overview")
        expect(page.get_by_text("Promotion is automatic")).to_be_visible()
        expect(page.get_by_text("The gate promotes")).to_have_count(0)
        expect(page.locator(".card").last).to_contain_text("v1 was promoted")


def overview(page: Page, url: str) -> None:
    page.goto(f"{url}/overview")
    challenger, live = page.locator(".card").first, page.locator(".card").last
    expect(challenger).to_contain_text("v2 gets 100 points more rejects than v1")
    expect(challenger.get_by_role("button", name="Set v2 aside…")).to_be_visible()
    expect(live).to_contain_text("v1 gets 100 points fewer rejects than v0")
    expect(live).to_contain_text("of 12 pairs 12 better, 0 worse, 0 the same")
    expect(live.locator(".pairs img")).to_have_count(6)
    expect(page.get_by_text("The gate promotes a challenger")).to_be_visible()


def rows_and_links(page: Page, url: str) -> None:
    page.goto(f"{url}/versions")
    expect(page.locator(".card")).to_have_attribute("aria-label", "v2 beside v1")
    page.locator("tr[data-version='0'] td").nth(2).click()
    expect(page).to_have_url(re.compile("v=0"))
    expect(page.locator(".card")).to_have_attribute("aria-label", "v0 beside v1")
    page.locator("tr[data-version='2'] a").press("Enter")
    expect(page).to_have_url(re.compile("v=2"))
    page.get_by_role("tab", name="Settings").click()
    expect(page).to_have_url(re.compile("tab=Settings&v=2|v=2.*tab=Settings"))
    page.reload()
    expect(page.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    page.goto(f"{url}/versions?v=2&with=0")
    expect(page.locator(".card")).to_have_attribute("aria-label", "v2 beside v0")


def enlarged(page: Page) -> None:
    pairs = page.locator(".root:has(fieldset) .pairs li")
    expect(pairs).to_have_count(PAIRS)
    picture = pairs.first.locator("img").first
    until(lambda: picture.evaluate("img => img.clientWidth") >= 240, "pictures large enough to judge")
    pairs.first.locator("button").click()
    place = page.locator("dialog[open] .place")
    expect(place).to_contain_text(f"1 of {PAIRS}")
    page.keyboard.press("ArrowRight")
    expect(place).to_contain_text(f"2 of {PAIRS}")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(place).to_contain_text(f"{PAIRS} of {PAIRS}")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def refused(page: Page, url: str, engine: Engine) -> None:
    page.goto(f"{url}/versions?v=0")
    page.get_by_role("button", name="Promote v0…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Against it: worse: of 12 pairs")
    expect(dialog.locator(".card h2")).to_contain_text("v0 gets 100 points more rejects than v1")
    dialog.get_by_label("Reason").fill("back to the start")
    dialog.get_by_role("button", name="Promote v0", exact=True).click()
    expect(dialog).to_contain_text("v0 was not promoted")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert champion(engine).number == 1


def reasons(page: Page, url: str, engine: Engine) -> None:
    press = Press("why", 1, Verdict.reject, reasons=frozenset({Reason.hands}))
    assert not record_votes(engine, "ada", [press], TERMS)[0].refused
    page.goto(f"{url}/overview")
    expect(page.get_by_role("heading", name="What is most often wrong?")).to_be_visible()
    expect(page.get_by_text("Most often hands: 100 % of v0’s pictures")).to_be_visible()
    page.goto(f"{url}/versions?v=1&with=0&tab=reasons")
    expect(page.get_by_role("row", name="hands").first).to_contain_text("21–100 %")
    expect(page.get_by_text("Rejects for hands in the newest votes only: v0 100 % of 1 vote.")).to_be_visible()


def set_aside(page: Page, url: str, engine: Engine) -> None:
    page.goto(f"{url}/overview")
    page.get_by_role("button", name="Set v2 aside…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("dull")
    dialog.get_by_role("button", name="Set v2 aside", exact=True).click()
    until(lambda: events(engine)[0].action is Action.refuse, "v2 to be set aside")
    expect(page.locator(".card").first).to_contain_text("v2 was refused")
    expect(page.get_by_role("button", name="Set v2 aside…")).to_have_count(0)
