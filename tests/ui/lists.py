"""Choosing from Streamlit's lists by key, on a page that may draw itself again at any time."""

from playwright.sync_api import Page, TimeoutError

from tests.waiting import until


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
