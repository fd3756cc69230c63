"""The page Sort in a browser."""

import pytest
from playwright.sync_api import Page, expect

from feedback.exchange.sorting.acting import standing_of
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.sortings import require_sorting
from store.engine import reading
from tests.feedback.exchange.pictures.brought import imported
from tests.ui.dashboard.sort.conftest import PICTURES


def flags(page: Page, count: int) -> None:
    expect(page.locator(".share")).to_have_text(f"{count} of 200 pictures flagged")


def means(page: Page, engine, cut: float) -> None:
    """The page says what the command says of the same cut."""
    with reading(engine) as session:
        words = HeldOut.of(session, 1).words(cut)
    expect(page.locator(".words")).to_have_text(f"{words[0].upper()}{words[1:]}.")


@pytest.mark.browser
def test_the_cut_moves_by_keys_and_by_dragging_and_says_what_it_means(scored, serve, quiet_page):
    page = quiet_page
    with serve(scored.settings) as served:
        page.goto(f"{served.url}/sort?sorted={scored.number}")
        flags(page, 39)  # the version's own cut, 0.8: those above it
        means(page, scored.engine, 0.8)
        expect(page.locator(".tile").first.locator("img")).to_be_visible()
        expect(page.locator(".tile.flagged")).to_have_count(39)
        expect(page.locator(".near img")).to_have_count(8)
        handle = page.get_by_role("slider", name="Cut")
        handle.focus()
        page.keyboard.press("ArrowRight")
        flags(page, 40)
        means(page, scored.engine, (PICTURES - 41) / PICTURES)
        page.keyboard.press("PageUp")
        flags(page, 50)
        page.keyboard.press("Home")
        flags(page, 0)
        means(page, scored.engine, (PICTURES - 1) / PICTURES)
        expect(page.get_by_role("button", name="Move…")).to_be_disabled()
        page.keyboard.press("End")
        flags(page, 200)
        box = page.locator(".strip").bounding_box()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=5)
        page.mouse.up()
        flags(page, 100)
        expect(handle).to_have_attribute("aria-valuetext", "100 of 200 pictures flagged")
        means(page, scored.engine, 99 / PICTURES)
        page.locator(".unscored summary").click()
        expect(page.locator(".unscored li")).to_have_text(["200.png: it holds no prompt"])
        page.reload()  # the address names the folder
        flags(page, 39)


@pytest.mark.browser
def test_what_is_done_names_how_many_and_is_done_with_those(scored, serve, quiet_page):
    page = quiet_page
    with serve(scored.settings) as served:
        page.goto(f"{served.url}/sort?sorted={scored.number}")
        flags(page, 39)
        asking = page.locator(".asking")
        page.get_by_role("button", name="Tag…").click()
        asking.get_by_role("button", name="Tag 39 pictures").click()
        expect(page.locator(".done")).to_have_text("39 pictures tagged.")
        assert len(list(scored.folder.rglob("*.xmp"))) == 39
        page.get_by_role("button", name="Ask raters…").click()
        asking.get_by_label("How many").fill("3")
        asking.get_by_role("button", name="Ask 3 pictures").click()
        expect(page.locator(".done")).to_have_text("3 pictures sent to raters.")
        assert len(imported(scored.engine)) == 3
        with page.expect_download() as coming:
            page.get_by_role("button", name="Export…").click()
            asking.get_by_role("button", name="Export 39 pictures").click()
        assert coming.value.suggested_filename == "naysayer-flagged.zip"
        page.get_by_role("button", name="Move…").click()
        expect(asking.get_by_label("To the folder")).to_have_value(f"{scored.folder}-rejected")
        asking.get_by_role("button", name="Move 39 pictures").click()
        expect(page.locator(".done")).to_have_text("39 pictures moved.")
        expect(page.locator(".share")).to_have_text("0 of 161 pictures flagged")
        gone = scored.folder.with_name("in-rejected")
        assert {path.stem for path in gone.rglob("*.png")} == {f"{place:03d}" for place in range(161, 200)}
        assert len(list(gone.rglob("*.xmp"))) == 39
        assert len(standing_of(scored.settings, require_sorting(scored.engine, scored.number)).moved) == 39


@pytest.mark.browser
def test_a_folder_is_named_scored_meanwhile_and_stopped_and_a_phone_has_all_of_it(
    scored, serve, quiet_page, hold_worker_lock
):
    page = quiet_page
    page.set_viewport_size({"width": 390, "height": 844})
    other = scored.folder.with_name("other")
    other.mkdir()
    with serve(scored.settings) as served, hold_worker_lock(scored.engine):
        page.goto(f"{served.url}/sort")
        expect(page.locator(".list button")).to_have_text([str(scored.folder)])
        page.get_by_label("Folder on the server").fill("pictures")
        page.get_by_role("button", name="Sort", exact=True).click()
        expect(page.locator(".sort > .problem")).to_contain_text("is no full path")
        page.get_by_label("Folder on the server").fill(str(other))
        page.get_by_role("button", name="Sort", exact=True).click()
        expect(page.locator(".far span")).to_contain_text("waiting for the worker")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".far span")).to_contain_text("stopped by a person")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(".far span")).to_contain_text("waiting for the worker")
        page.goto(f"{served.url}/sort?sorted={scored.number}")
        flags(page, 39)
        expect(page.locator(".tile").first.locator("img")).to_be_visible()
        page.locator(".tile button").first.click()
        expect(page.locator(".large .name")).to_have_text("1 of 200 · score 0.995 · flagged · sub/199.png")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".large .name")).to_contain_text("2 of 200")
        page.keyboard.press("Escape")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390


@pytest.mark.browser
def test_a_store_whose_champion_cannot_judge_says_so_before_a_folder_is_named(
    settings, engine, draw, serve, quiet_page
):
    page = quiet_page
    draw(1)
    with serve(settings) as served:
        page.goto(f"{served.url}/sort")
        expect(page.locator(".sort > .unable")).to_contain_text(
            "The champion, v0, has no check (it is the plain model)"
        )
        expect(page.get_by_role("button", name="Sort", exact=True)).to_be_disabled()
