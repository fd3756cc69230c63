from streamlit.testing.v1 import AppTest

from feedback.figures.summary import version_rows
from feedback.gate.evidence import evidence_rows
from feedback.retrain.manifest import freeze
from store.engine import writing
from store.tables import Run, RunStatus, Verdict
from tests.ui.dashboard.conftest import row, take_back, vote_on
from tests.waiting import PATIENCE_S
from ui.dashboard.versions.table import table_html


def test_the_table_has_a_row_a_version_newest_first(engine, draw, publish_version):
    draw(6)
    vote_on(engine, 3, Verdict.reject)
    manifest = freeze(engine, "0" * 64)
    publish_version(engine, 1, manifest_id=manifest.id)
    html = table_html(version_rows(engine), chosen=1)
    assert html.index(">v1<") < html.index(">v0<")
    assert '<tr class="chosen" data-version="1">' in html
    assert '<i class="ns-dot ns-v1"></i><a href="?v=1" aria-current="true">v1</a>' in html
    assert "3 rejects" in html


def test_a_version_with_judged_pairs_only_shows_their_share_in_place_of_rejects(compared):
    rows = version_rows(compared)
    html = table_html(rows, evidence=evidence_rows(compared, [row.number for row in rows]))
    newest = html[html.index('data-version="2"') :].split("</tr>")[0]
    assert '100 %<small class="wraps">of 12 compared pictures</small>' in newest
    assert "on compared pictures only</small>" in newest
    assert "Votes on compared pictures count only in “Beside the champion”." in html
    assert '<span class="ns-badge base">base</span>' in html[html.index('data-version="0"') :]


def test_rejects_that_a_version_lacks_though_its_parent_had_them_are_counted_and_explained(
    engine, draw, publish_version
):
    draw(6)
    vote_on(engine, 3, Verdict.reject)
    publish_version(engine, 1, manifest_id=freeze(engine, "0" * 64).id)
    assert "gone" not in table_html(version_rows(engine)).lower()
    take_back(engine)
    vote_on(engine, 1, Verdict.reject)
    publish_version(engine, 2, manifest_id=freeze(engine, "0" * 64).id, parent=1)
    html = table_html(version_rows(engine))
    assert "3 rejects<small>1 new, 1 gone</small>" in html
    assert "Gone: rejects that trained the version before" in html


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
        script = "from ui.dashboard.versions.page import versions_page\nversions_page()"
        shown = AppTest.from_string(script, default_timeout=PATIENCE_S).run()
        assert not shown.exception
        return [button.label for button in shown.button]

    with hold_retrain_lock(engine):
        assert "Stop the retrain…" in buttons()
    assert "Retrain now…" in buttons()
    assert "Stop the retrain…" not in buttons()
