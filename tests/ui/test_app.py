"""What the pages say, as text; and what the page process may load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedback.figures.summary import GridPair, VersionRow, version_rows
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import freeze
from feedback.versions import get_version, promote
from store.engine import writing
from store.errors import BadRequest
from store.tables import Origin, Run, RunStatus, Task, TaskKind, TaskStatus, Verdict, utc_now
from ui.dashboard.compare import grid_data
from ui.dashboard.inside import settings_html
from ui.dashboard.overview import effect_words, overview_html
from ui.dashboard.playground import drawn_html
from ui.dashboard.versions import table_html
from ui.run.serve import SERVER, pages_command
from ui.web.pictures import image_url
from ui.web.pieces import alert
from ui.web.templates import environment

PIECES = environment.get_template("web/pieces.html").module
HOSTILE = "<img src=x onerror=alert(1)>"
WALK = """
import sys
from streamlit.testing.v1 import AppTest
import ui.server
dashboard = ("overview", "versions", "playground", "pool", "raters")
for module in ("rate.rate", *(f"dashboard.{page}" for page in dashboard)):
    page = module.split(".")[1] + "_page"
    run = AppTest.from_string(f"from ui.{module} import {page}\\n{page}()", default_timeout=30).run()
    assert not run.exception, run.exception
heavy = {"torch", "diffusers", "transformers", "peft", "accelerate"} & set(sys.modules)
assert not heavy, heavy
assert "trainer" not in sys.modules
print("walked")
"""


def row(number: int, rejected: int, judged: int, *aliases: str) -> VersionRow:
    return VersionRow(number, aliases, rejected, judged, judged, 2, 0, utc_now())


def vote_on(engine, count: int, verdict: Verdict) -> None:
    images = next_images(engine, "ada", Terms(1, 600), count=count)
    presses = [Press(f"request-{verdict}-{image.image_id}", image.image_id, verdict) for image in images]
    record_votes(engine, "ada", presses, Terms(1, 600))


def test_the_page_process_never_loads_torch(settings, engine, draw):
    draw(4)
    walk = subprocess.run(
        [sys.executable, "-c", WALK],
        env=os.environ | {"NAYSAYER_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert walk.stdout.endswith("walked\n"), walk.stderr


def test_the_command_serves_this_machine_alone_and_phones_nobody(settings):
    command = pages_command(settings.model_copy(update={"port": 8765}))
    assert command[:4] == [sys.executable, "-m", "streamlit", "run"]
    flags = dict(zip(command[5::2], command[6::2], strict=True))
    assert (flags["--server.address"], flags["--server.port"]) == ("127.0.0.1", "8765")
    assert flags["--browser.gatherUsageStats"] == "false"
    assert flags["--client.showErrorDetails"] == "none"
    assert flags["--server.enableXsrfProtection"] == "true"


def test_every_file_the_pages_read_lies_beside_them():
    names = [
        "app.py",
        "pages.css",
        "wordmark.svg",
        ".streamlit/config.toml",
        "rate/page/rating.js",
        "rate/page/outbox.js",
    ]
    assert [name for name in names if not Path(SERVER).with_name(name.split("/")[0]).exists()] == []
    assert all((SERVER.parent / name).is_file() for name in names)


def test_the_overview_states_its_data_and_the_way_to_the_next_retrain(settings, engine, draw):
    draw(10)
    vote_on(engine, 3, Verdict.reject)
    vote_on(engine, 2, Verdict.keep)
    page = overview_html(engine, settings)
    assert "5 votes by 1 rater on 5 pictures" in page
    assert "3 of 40 new rejects" in page
    assert "<b>37</b> rejects to go" in page
    assert "<b>5</b> waiting to be rated" in page


def test_the_overview_shows_a_running_retrain_and_why_one_failed(settings, engine, draw):
    draw(1)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.failed, message=HOSTILE))
    assert "the last retrain failed: &lt;img" in overview_html(engine, settings)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.running, step=120, steps=300))
    page = overview_html(engine, settings)
    assert "<b>40 %</b> of a retrain" in page
    assert "step 120 of 300" in page


def test_reasons_and_prompts_are_escaped(settings, engine, draw, publish_version):
    draw(2, prompts=[HOSTILE], origin=Origin.evaluation)
    publish_version(engine, 1, settings={"note": HOSTILE})
    promote(engine, 1, HOSTILE)
    pages = [
        overview_html(engine, settings),
        settings_html(get_version(engine, 1)),
        alert(HOSTILE),
    ]
    assert [page.count("<img src=x") for page in pages] == [0, 0, 0]
    assert all("&lt;img src=x" in page for page in pages)


def test_a_thumbnail_cannot_break_out_of_its_attributes():
    html = PIECES.picture("0" * 64, '" onerror="alert(1)', width=64)
    assert 'onerror="' not in html


def test_a_picture_that_is_still_drawn_is_shown_as_such_and_not_counted():
    answer = {"0": "0" * 64, "1 coming": "data:image/webp;base64,AAAA"}
    body = {"prompt": HOSTILE, "seed": 3, "versions": [0, 1], "strength": 4.0}
    html = drawn_html(Task(kind=TaskKind.draw, status=TaskStatus.running, body=body, answer=answer), width=64)
    assert 'src="data:image/webp;base64,AAAA" alt="v1, still being drawn"' in html
    assert "1 of 2 drawn" in html
    assert "<img src=x" not in html


@pytest.mark.parametrize(("width", "is_sharp"), [(64, True), (1024, False)])
def test_only_a_picture_shown_larger_than_it_is_keeps_its_pixels(width, is_sharp):
    assert ('class="ns-thumb small"' in PIECES.picture("0" * 64, "a cat", px=96, width=width)) is is_sharp


def test_the_table_has_a_row_a_version_newest_first(engine, draw, publish_version):
    draw(6)
    vote_on(engine, 3, Verdict.reject)
    manifest = freeze(engine, "0" * 64)
    publish_version(engine, 1, manifest_id=manifest.id)
    html = table_html(version_rows(engine), chosen=1)
    assert html.index(">v1<") < html.index(">v0<")
    assert '<tr class="chosen">\n<th scope="row">v1' in html
    assert "3 rejects" in html


def test_intervals_of_one_table_share_an_axis():
    rows = [row(1, 10, 100), row(0, 30, 100)]
    html = table_html(rows)
    assert "between 6 % and 17 %" in html
    assert "left:25.00%" in html  # 10 % on an axis that ends at 40 %
    assert "left:75.00%" in html


def test_a_version_without_votes_shows_an_empty_axis():
    empty = row(2, 0, 0)
    assert "not judged yet" in PIECES.interval_bar(empty.rate, empty.interval, 1.0)


@pytest.mark.parametrize(
    ("live", "base", "words"),
    [
        (row(1, 10, 100), row(0, 40, 100), "Yes"),
        (row(1, 40, 100), row(0, 10, 100), "No"),
        (row(1, 10, 40), row(0, 12, 40), "Not known yet"),
        (row(1, 0, 0), row(0, 12, 40), "Not known yet"),
        (row(0, 10, 40), row(0, 10, 40), "The plain base is live"),
        (None, None, "The first pictures"),
    ],
)
def test_the_effect_is_said_in_words_and_claims_no_more_than_the_intervals(live, base, words):
    assert effect_words(live, base).startswith(words)


def test_a_grid_holds_no_picture_where_a_version_has_not_drawn():
    pairs = [GridPair("a red star", 7, {0: "a" * 64}, {0: "reject"}), GridPair("not of these", 8, {5: "b" * 64})]
    data = grid_data(pairs, [0, 1], 0)
    [pair] = data["pairs"]
    assert pair["pictures"] == {"0": {"url": image_url("a" * 64), "outcome": "reject"}}
    assert data["names"] == {"0": "v0 (base, champion)", "1": "v1"}


def test_promoting_the_champion_is_our_error(engine, draw):
    draw(1)
    with pytest.raises(BadRequest, match="champion already"):
        promote(engine, 0)
