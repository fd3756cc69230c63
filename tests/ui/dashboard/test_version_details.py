import pytest

from feedback.gate.guardrails import Guardrail
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.lineage import trained_on
from feedback.retrain.manifest import freeze
from feedback.statistics import Interval
from feedback.versions import get_version
from store.tables import Role, Verdict
from ui.dashboard.version_details import guardrails_html, settings_html, trained_html, uses_html

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def trained(engine, draw, publish_version):
    """v1, trained on two rejects of a hostile prompt."""
    draw(4, prompts=[HOSTILE])
    images = next_images(engine, "ada", Terms(1, 600), count=2)
    presses = [Press(f"press-{image.image_id}", image.image_id, Verdict.reject) for image in images]
    record_votes(engine, "ada", presses, Terms(1, 600))
    publish_version(engine, 1, manifest_id=freeze(engine, "0" * 64).id, settings={"note": HOSTILE})
    return engine


def test_the_pictures_that_trained_a_version_stand_with_their_votes(trained):
    html = trained_html(trained_on(trained, get_version(trained, 1), Role.reject, 10))
    assert html.count("<figure") == 2
    assert "· 1–0" in html
    assert "<img src=x" not in html


def test_a_picture_names_the_versions_it_trained(trained):
    html = uses_html(trained, "1")
    assert "picture #1, drawn by v0" in html
    assert "trained v1 as reject" in html
    assert "no picture has that number" in uses_html(trained, "999")


def test_settings_are_escaped_and_say_what_changed_since_a_trained_parent(trained, publish_version):
    publish_version(trained, 2, parent=1, settings={"note": "calm"})
    one, two = get_version(trained, 1), get_version(trained, 2)
    assert "changed" not in settings_html(one)
    assert "&lt;img src=x" in settings_html(one)
    html = settings_html(two, one)
    assert html.index("changed") < html.index("note") < html.index("calm")
    assert "<img src=x" not in html
    assert "the settings are those of v1" in settings_html(one, one)


def test_a_guardrail_stands_with_its_reason():
    html = guardrails_html([Guardrail("diversity", Interval(0.4, 0.6), True, "half of the base's")])
    assert html.index("diversity") < html.index("broken") < html.index("half of the base")
