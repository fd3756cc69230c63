"""Every page's HTML: Jinja2 templates that lie beside the module that fills them in.

The environment escapes every value; a missing value is an error. Pieces that several pages share are macros in
`web/pieces.html`.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from store.phrases import plural
from ui.web.phrases import ago, percent, points, thousands
from ui.web.pictures import image_url

HEADINGS = tuple(f"h{level}" for level in range(1, 7))
SAFE = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
"""HTML in a text is shown as text; a link with `javascript:`, `vbscript:`, `file:` or `data:` stays text."""
BLANK = Markup()
"""No HTML."""
environment = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
environment.filters |= {"ago": ago, "percent": percent, "points": points, "thousands": thousands}
environment.globals |= {"image_url": image_url, "plural": plural}


def render(name: str, **values: object) -> Markup:
    """The HTML of the template `name`, a path from `ui/` such as `dashboard/overview.html`.

    What comes back may be a value of another template and is not escaped again there.
    """
    return Markup(environment.get_template(name).render(values))  # the template escaped every value


def markdown_html(text: str) -> Markup:
    """The Markdown text as HTML that is safe to show: no raw HTML, picture, script or frame.

    Its headings come below the page's own, and its links open in a new tab, which learns nothing of this page.

    >>> markdown_html("**Reject** <b>")
    Markup('<p><strong>Reject</strong> &lt;b&gt;</p>\\n')
    """
    tokens = SAFE.parse(text)
    for token in tokens:
        if token.tag in HEADINGS:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        for child in token.children or []:
            if child.type == "link_open":
                child.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
    return Markup(SAFE.renderer.render(tokens, SAFE.options, {}))
