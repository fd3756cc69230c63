"""Prints the rating page's HTML and data as JSON, for the tests of its JavaScript."""

import json

from ui.rate.page_data import page_data
from ui.rate.rate import page_html

print(json.dumps({"html": page_html(), "data": page_data("")}))
