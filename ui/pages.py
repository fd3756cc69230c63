"""The pages by title, in the order of the menu."""

from ui.dashboard.overview import overview_page
from ui.dashboard.playground.page import playground_page
from ui.dashboard.pool.page import pool_page
from ui.dashboard.raters import raters_page
from ui.dashboard.setup.page import setup_page
from ui.dashboard.sort.page import sort_page
from ui.dashboard.versions.page import versions_page
from ui.dashboard.warnings import under_warnings
from ui.rate.rate import rate_page

PAGES = {
    "Rate": rate_page,  # a rater is told nothing of versions
    "Overview": overview_page,  # has the warnings in a card
    **{
        title: under_warnings(title, draw)
        for title, draw in (
            ("Pool", pool_page),
            ("Versions", versions_page),
            ("Raters", raters_page),
            ("Playground", playground_page),
            ("Sort", sort_page),
            ("Setup", setup_page),
        )
    },
}
