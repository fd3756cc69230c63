"""From files in a browser to pictures in the queue."""

import zipfile

import pytest
from playwright.sync_api import expect

from feedback.exchange.pictures.bases import known_models
from feedback.exchange.pictures.outcome import Outcome, Terms, judge_again
from store.layout import layout_of
from tests.feedback.exchange.pictures.brought import OURS, bring, folder_of, imported, look, png
from tests.feedback.metadata import made
from ui.dashboard.setup.pictures.part import came_in_words, figures_html, progress_words, unknown_models

UNNAMED = OURS.replace("builtin", "juggernautXL")


@pytest.fixture
def path(engine, draw, tmp_path):
    """A folder with a picture for each outcome, and a ZIP beside it."""
    draw(1)
    folder_of(
        tmp_path / "in",
        a__png=png("a fox", 1),
        b__png=png("a <b>wolf</b>", 2, settings=UNNAMED),
        c__png=made.png(),
        d__png=b"",
        list__csv=b"file,prompt,seed\ne.png,an owl from the list,3\n",
        e__png=made.png(),
    )
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("f.png", png("a hen", 4))
    return tmp_path


def test_what_the_person_says_of_a_model_counts_without_another_look(engine, path):
    seen, _ = look(engine, path / "in")
    assert unknown_models(seen) == {"juggernautxl": ("juggernautXL", 1)}
    b = next(one for one in seen if one.entry.name == "b.png")
    known = known_models(engine)
    after = {
        base: judge_again(b, known | {"juggernautxl": base}, Terms((64, 64)))
        for base in ("ours", "sdxl", "sd1", "flux")
    }
    outcomes = [one.outcome for one in after.values()]
    assert outcomes == [Outcome.new, Outcome.rated_only, Outcome.refused, Outcome.refused]
    assert after["sd1"].found.why.startswith("its base is sd1, not SDXL; NAYSAYER_OTHER_BASES=0.5 takes it in")
    assert judge_again(b, known | {"juggernautxl": "sdxl"}, Terms((64, 64), other_bases=0.5)).outcome is Outcome.new
    assert judge_again(b, known, Terms((64, 64))) == b


def test_the_figures_say_why_some_are_refused(engine, path):
    html = figures_html(look(engine, path / "in")[0])
    assert "2 without a prompt, 1 damaged or no pictures" in html


def test_the_words_of_an_import(settings, engine, path):
    report, _ = bring(settings, engine, path / "in")
    assert (
        came_in_words(report)[0] == "2 pictures came in. 1 of them are rated and not trained on; Pool has the reasons."
    )
    again, _ = bring(settings, engine, path / "in")
    assert came_in_words(again) == ["2 pictures had come in before.", ""]
    assert progress_words("Importing", 0, 3, 0) == "Importing 0 of 3 pictures"


@pytest.mark.browser
@pytest.mark.slow
def test_an_admin_drops_files_looks_and_imports_once(settings, engine, path, serve, quiet_page):
    page = quiet_page
    sent = [*sorted(map(str, (path / "in").iterdir())), str(path / "more.zip")]
    with serve(settings) as served:
        page.goto(f"{served.url}/setup?part=Pictures")
        page.locator(".drop").wait_for()
        page.locator("input[data-pick=files]").set_input_files({"name": "a.exe", "mimeType": "", "buffer": b"x"})
        expect(page.locator(".failed")).to_contain_text("There is no picture")
        page.locator("input[data-pick=files]").set_input_files(sent)
        expect(page.get_by_role("button", name="Import 4 pictures")).to_be_visible()
        expect(page.locator("li", has_text="b.png")).to_contain_text("a <b>wolf</b>")
        expect(page.locator("li", has_text="b.png").locator(".badge")).to_have_text("rated only")
        assert imported(engine) == []
        choice = page.get_by_role("combobox", name="juggernautXL, 1 picture")
        choice.click()
        page.get_by_role("option", name="this store's own base").click()
        expect(page.locator("li", has_text="b.png").locator(".badge")).to_have_text("new")
        page.get_by_role("button", name="Import 4 pictures").click()
        expect(page.get_by_text("4 pictures came in.")).to_be_visible()
        expect(page.get_by_text("Refused in the last import (2)")).to_be_visible()
        assert sorted(one.seed for one in imported(engine)) == [1, 2, 3, 4]
        page.locator("input[data-pick=files]").set_input_files(sent)
        expect(page.get_by_role("button", name="Import 0 pictures")).to_be_disabled()
        page.get_by_role("button", name="Discard").click()
        page.locator(".drop").wait_for()
        assert len(imported(engine)) == 4
        held = [one for one in layout_of(settings).cache.iterdir() if any(one.rglob("*.png"))]
        assert held == []
