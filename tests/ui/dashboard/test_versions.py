from streamlit.testing.v1 import AppTest

from feedback.figures.summary import version_rows
from feedback.retrain.manifest import freeze
from store.engine import writing
from store.tables import Run, RunStatus, Verdict
from tests.ui.dashboard.conftest import row, vote_on
from ui.dashboard.versions import table_html


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


def test_a_retrain_whose_process_is_gone_can_be_asked_for_again(settings, engine, draw, hold_retrain_lock):
    draw(1)
    with writing(engine) as session:
        session.add(Run(status=RunStatus.running, step=3, steps=9))

    def buttons() -> list[str]:
        script = "from ui.dashboard.versions import versions_page\nversions_page()"
        shown = AppTest.from_string(script, default_timeout=60).run()
        assert not shown.exception
        return [button.label for button in shown.button]

    with hold_retrain_lock(engine):
        assert "Stop the retrain…" in buttons()
    assert "Retrain now…" in buttons()
    assert "Stop the retrain…" not in buttons()
