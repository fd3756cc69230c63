"""Waiting for Streamlit to draw a page again, and choosing from its lists by key while it may do so at any time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from playwright.sync_api import Page, TimeoutError

from tests.waiting import until

BEGUN_MS = 10_000
IS_DRAWN = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
WATCH = """() => {
  window.drawings = 0;
  const watched = new MutationObserver((changes) => { window.drawings += changes.length; });
  watched.observe(document.querySelector("[data-testid=stApp]"), { attributeFilter: ["data-test-script-state"] });
}"""


@contextmanager
def redrawn(page: Page) -> Iterator[None]:
    """Waits at its end until the page is drawn with what was done inside; a click before that may be lost."""
    page.wait_for_function(IS_DRAWN)
    page.evaluate(WATCH)
    yield
    with suppress(TimeoutError):  # what was drawn at once, together with something else, is not seen to begin
        page.wait_for_function("window.drawings > 0", timeout=BEGUN_MS)
    page.wait_for_function(IS_DRAWN)


def choose(page: Page, label: str, option: str = "") -> None:
    """Chooses the option of that name from the list with that label, or its first one.

    Opens the list again when it closes before the click: a page that draws itself again closes its lists.
    """
    box = page.get_by_label(label, exact=True)
    wanted = page.get_by_role("option", name=option or None).first

    def is_chosen() -> bool:
        box.press("ArrowDown")
        try:
            wanted.click(timeout=2000)
        except TimeoutError:
            return False
        return True

    until(is_chosen, f"{option or 'an option'} of the list {label}")
