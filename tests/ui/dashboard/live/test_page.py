"""A browser with three pages open while a retrain ends and the server is killed and comes back."""

import re
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from store.engine import writing
from store.tables import Run, RunProgress, RunStatus, utc_now

STAGE = {"name": "fitting", "phase": "fit", "kind": "fit", "work": 300, "done": 120, "seconds": 40}
BEHIND = """() => {
  Object.defineProperty(document, "hidden", {get: () => true});
  const Real = Notification;
  window.told = [];
  window.Notification = class extends Real {
    constructor(title, options) { super(title, options); told.push([title, options.body]); }
  };
}"""
"""The tab is behind another one, and what the browser is asked to show is kept."""
CURVE = [{"step": n, "loss": 1 / n} for n in (1, 2, 4)]


def end(engine, number: int, status: RunStatus, message: str) -> None:
    with writing(engine) as session:
        run = session.get_one(Run, number)
        run.status, run.message, run.updated_at = status, message, utc_now()
        session.add(run)


@pytest.mark.browser
def test_every_page_tells_how_a_retrain_ended_and_what_is_safe_while_the_server_is_gone(
    settings, engine, draw, serve, page, hold_retrain_lock
):
    draw(3)
    with writing(engine) as session:
        run = Run(status=RunStatus.running, step=400, steps=1000)
        session.add(run)
        session.flush()
        session.add(RunProgress(run_id=run.id, stages=[STAGE], curve=CURVE, strengths=[]))
    with ExitStack() as alive:
        alive.enter_context(hold_retrain_lock(engine))
        served = alive.enter_context(serve(settings))
        rating = page.context.new_page()
        rating.goto(served.url)
        rating.get_by_placeholder("Your name").wait_for()
        page.goto(f"{served.url}/overview")
        expect(page.get_by_text("No worker runs")).to_be_visible()
        expect(page.get_by_role("img", name=re.compile("loss from 1.0000 to 0.2500"))).to_be_visible()
        expect(page.get_by_text("about a minute left").first).to_be_visible()
        page.wait_for_function("sessionStorage.getItem('naysayer.news') !== null")
        rating.wait_for_function("sessionStorage.getItem('naysayer.news') !== null")
        page.context.grant_permissions(["notifications"], origin=served.url)
        rating.evaluate(BEHIND)
        end(engine, run.id, RunStatus.failed, "the disk is full")
        rating.wait_for_function("window.told.length === 1")
        assert rating.evaluate("window.told") == [["Naysayer", "The retrain failed: the disk is full"]]
        expect(page.locator(".ns-live .toast")).to_contain_text("The retrain failed: the disk is full")
        expect(page).to_have_title(re.compile("^● Retrain failed · "))
        page.locator(".ns-live").get_by_role("button", name="Close").click()
        expect(page.locator(".ns-live .toast")).to_have_count(0)
        expect(page).to_have_title(re.compile("^[^●]"))

        page.evaluate("localStorage.setItem('naysayer.vote.a', '{}')")
        served.kill()
        for shown in (page, rating):
            gone = shown.locator(".ns-live .gone")
            expect(gone).to_contain_text("The server does not answer.")
            expect(gone).to_contain_text("1 vote not sent yet is kept in this browser.")
        page.wait_for_function("document.querySelector('.ns-unwanted') !== null")
        expect(page.get_by_role("dialog")).to_have_count(0)
        served.start()
        for shown in (page, rating):
            expect(shown.locator(".ns-live .gone")).to_be_hidden()
