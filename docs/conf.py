"""The settings of the docs site: `make docs` builds it into build/docs and fails on a dead link or an orphan page."""

import re
from typing import Any

project = "Naysayer"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Naysayer"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2b7160", "color-brand-content": "#2b7160"},
    "dark_css_variables": {"color-brand-primary": "#74c8b0", "color-brand-content": "#74c8b0"},
}
html_static_path = ["site"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _add_contents)


def _add_contents(_app: Any, page: str, source: list[str]) -> None:
    """Gives the start page its tables of contents.

    They are made from its own links, section by section, because a `toctree` shows as code on GitHub. A page that the
    start page does not link to is therefore an orphan, and the build fails.
    """
    if page == "index":
        source[0] += "".join(contents(source[0]))


def contents(text: str) -> list[str]:
    """One hidden table of contents for each section of the start page that links to pages; a page is listed once."""
    seen: set[str] = set()
    tables = []
    for section in text.split("\n## ")[1:]:
        pages = [page for page in re.findall(r"\]\(([\w/-]+)\.md[)#]", section) if page not in seen]
        seen.update(pages)
        if pages:
            caption = section.split("\n", 1)[0]
            tables.append(f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n")
    return tables
