"""Prompts, names and reasons from outside stay words on every page: nothing runs, nothing is fetched from elsewhere."""

import pytest
from playwright.sync_api import Page, expect

from feedback.people.decisions import Decision, decide
from feedback.pool.curation import curate
from feedback.rate.controls import make_control
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.versions import promote, roll_back
from store.tables import PoolAction, RaterAction, Verdict
from tests.ui.rate.test_rating_page import press

pytestmark = pytest.mark.browser

HOSTILE = [
    "<script>window.hacked=1</script>",
    "<img src=//evil.example/1 onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "'><body onload=window.hacked=1>",
    "<iframe src=javascript:parent.hacked=1></iframe>",
    "<a href=javascript:window.hacked=1>click</a>",
    "[click](javascript:window.hacked=1)",
    "![x](http://evil.example/2.png)",
    "<link rel=stylesheet href=//evil.example/3.css>",
    "<style>@import'//evil.example/4.css'</style>",
    '" onmouseover="window.hacked=1" x="',
    "' autofocus onfocus='window.hacked=1' x='",
    "</title></textarea><script>alert(1)</script>",
    "<details open ontoggle=window.hacked=1>",
    "<math><mtext><img src onerror=window.hacked=1>",
    "{{constructor.constructor('window.hacked=1')()}}",
    r"$\href{javascript:window.hacked=1}{x}$ :red[x]",
    "${window.hacked=1}`${window.hacked=1}`",
    "<base href=http://evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><button autofocus>x",
]
SETTLED_MS = 250


@pytest.fixture
def store(settings, engine, draw, publish_version):
    """Every hostile word as a prompt, as a rater's name and as the reason of each kind of decision."""
    settings = settings.model_copy(update={"overlap": 30})
    draw(len(HOSTILE), prompts=HOSTILE)
    publish_version(engine, 1, settings={word: word for word in HOSTILE}, code_commit=HOSTILE[0])
    for place, word in enumerate(HOSTILE):
        images = next_images(engine, word, Terms(30, 600), count=3)
        presses = [Press(f"press-{place}-{image.image_id}", image.image_id, Verdict.reject) for image in images]
        assert not any(receipt.refused for receipt in record_votes(engine, word, presses, Terms(30, 600)))
        decide(engine, word, Decision(RaterAction.pause, word, word))
        curate(engine, [place + 1], PoolAction.exclude, by=word, reason=word)
        promote(engine, 1, reason=word)
        roll_back(engine, reason=word)
    make_control(engine, 1, Verdict.reject, by=HOSTILE[0])
    draw(9, prompts=HOSTILE[:9], first_seed=len(HOSTILE))
    return settings


def is_clean(page: Page) -> None:
    page.wait_for_timeout(SETTLED_MS)
    assert page.evaluate("window.hacked") is None
    assert len(page.frames) == 1


def test_hostile_words_stay_words_on_every_page(store, serve, quiet_page):
    page = quiet_page
    with serve(store) as served:
        page.goto(served.url)
        for name in HOSTILE[1], HOSTILE[10]:
            page.locator("#name").fill(f"a{name}")  # a new rater, who is not paused
            page.keyboard.press("Enter")
            page.locator(".frame img").wait_for()
            for key in ("j", "k", "j"):
                press(page, key)
            page.locator(".prompt").hover()
            page.get_by_role("button", name="History").click()
            expect(page.locator(".history li")).to_have_count(3)
            is_clean(page)
            page.locator(".history .close").click()
            page.get_by_role("button", name="Sweep").click()
            page.locator(".cell img").first.wait_for()
            page.locator(".cell").nth(1).click()
            page.locator(".cell").nth(2).hover()
            is_clean(page)
            page.get_by_role("button", name="One", exact=True).click()
            page.get_by_role("button", name="Not you?").click()
        for path, told in (
            ("pool?which=taken out", ".thumbs .words"),
            ("pool?image=1", ".viewer .votes li"),
            ("raters", "th[scope=row]"),
            ("versions", ".ns-events li, th[scope=row]"),
            ("overview", ".ns-loop"),
            ("playground", ".ns-title"),
            ("setup?part=Prompts", ".list li"),
            ("setup?part=Controls", ".list li"),
        ):
            page.goto(f"{served.url}/{path}")
            page.locator(told).first.wait_for()
            page.locator(told).first.hover()
            is_clean(page)
        page.goto(f"{served.url}/versions")
        for tab in ("Trained on", "Curves", "Strength", "Guards", "Settings", "Files"):
            page.get_by_role("tab", name=tab).click()
            is_clean(page)
        page.goto(f"{served.url}/naysayer/plain")
        for word in HOSTILE[::7]:
            page.goto(f"{served.url}/naysayer/plain")
            page.get_by_label("Your name").fill(f"b{word}")
            page.keyboard.press("Enter")
            page.get_by_role("button", name="Reject").click()
            expect(page.get_by_role("status")).to_have_text("Rejected")
            is_clean(page)
        page.goto(f"{served.url}/?simple=1")
        page.get_by_label("Who is rating?").fill(f"c{HOSTILE[2]}")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Reject").click()
        page.get_by_role("button", name="Undo").wait_for()
        is_clean(page)
