"""Every page's HTML: Jinja2 templates that lie beside the module that fills them in.

The environment escapes every value; a missing value is an error. Pieces that several pages share are macros in
`web/pieces.html`.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from store.phrases import plural
from ui.web.phrases import ago, percent, points, thousands
from ui.web.pictures import image_url

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
