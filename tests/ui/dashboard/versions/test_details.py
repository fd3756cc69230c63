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
from ui.dashboard.versions.details import (
    guardrails_html,
    guards_verdict,
    picture_key,
    settings_html,
    trained_html,
    uses_html,
)

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


def test_settings_are_escaped_and_say_in_words_what_differs_from_any_other_version(trained, publish_version):
    manifest = get_version(trained, 1).manifest_id
    publish_version(trained, 2, manifest_id=manifest, parent=1, settings={"train_steps": 600, "deterministic": True})
    base, one, two = (get_version(trained, number) for number in (0, 1, 2))
    assert "&lt;img src=x" in settings_html(one)
    html = settings_html(two, one)
    heads = [html.index(f">{word}</th>") for word in ("What differs", "v1", "v2")]
    assert heads == sorted(heads)
    assert html.index("training steps") > heads[-1]
    assert '<td class="text">–</td><td class="text">600</td>' in html
    assert '<td class="text">yes</td>' in html
    assert "train_steps" not in html
    assert "<img src=x" not in html
    assert "v1 and v1 were made in the same way" in settings_html(one, one)
    assert "the plain base was not trained" in settings_html(one, base)


def test_the_guards_begin_with_what_they_mean_for_the_version():
    fine, broken = (Guardrail(name, Interval(0.4, 0.6), name == "contrast", "") for name in ("diversity", "contrast"))
    assert guards_verdict(4, 3, [fine]) == "Beside v3, v4 lost nothing that raters may not notice: every guard is fine."
    assert guards_verdict(4, 3, [fine, broken]).endswith("changed too much in what raters may not notice: contrast.")


def test_what_stands_at_a_picture_is_explained():
    assert picture_key(3)[-1] == "blue frame: new since v3"
    assert "votes to reject – votes to keep" in picture_key(None)[0]
    assert len(picture_key(None)) == 2


def test_a_guardrail_stands_with_its_reason():
    html = guardrails_html([Guardrail("diversity", Interval(0.4, 0.6), True, "diversity: half of the base's")], 4, 3)
    assert "v4 beside v3" in html
    assert html.count("diversity") == 1
    assert html.index("diversity") < html.index("broken") < html.index("half of the base")
