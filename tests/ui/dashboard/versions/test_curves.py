import pytest

from store.tables import Version
from ui.dashboard.versions.curves import KEPT, strength_words, strengths_html


def test_each_strength_stands_with_what_was_measured_and_whether_the_guards_allow_it():
    measured = {"pictures": 16, "guidance_scale": 2.05, "push": 0.14, "diversity": 0.88, "contrast": 1, "saturation": 1}
    swept = [measured | {"strength": 1.0, "passes": 1.0}, measured | {"strength": 6.0, "push": 0.47, "passes": 0.0}]
    html = strengths_html(swept)
    assert html.count('<th scope="row">') == 2
    assert html.index("0.14") < html.index("allowed") < html.index("0.47") < html.index("too strong")
    assert "rejected" not in html  # nobody has judged these strengths


def test_the_raters_word_has_columns_where_there_is_one():
    point = {"strength": 2.0, "passes": 1.0, "push": 0.2, "rejects": 10, "judged": 50}
    html = strengths_html([point, {"strength": 4.0, "passes": 1.0, "push": 0.3}])
    assert "<th>votes</th><th>rejected</th>" in html
    assert html.count("<td>–</td>") == 2


@pytest.mark.parametrize(
    ("strength", "passed", "said"),
    [
        (6.0, (1, 1), f"Strength 6 was chosen, the strongest of 2 that were tried: at all of them {KEPT}."),
        (
            4.0,
            (1, 0),
            f"Strength 4 was chosen: the strongest of 2 that were tried at which {KEPT}. The next one was too",
        ),
        (4.0, (1,), f"v1 draws at strength 4, where {KEPT}. No other one was tried."),
        (4.0, (0,), "v1 draws at strength 4; no other strength was measured."),
        (4.0, (0, 0), "Strength 4 was chosen, the weakest of 2 that were tried: v1 passes every guard at none"),
    ],
)
def test_a_strength_at_the_edge_of_what_was_tried_says_so(strength, passed, said):
    swept = [{"strength": 4.0 + 2 * place, "passes": float(one)} for place, one in enumerate(passed)]
    version = Version(number=1, base_model="b", base_sha256="", rule="same-prompt", strength=strength)
    version.strength_curve = swept
    assert strength_words(version).startswith(said)


def test_a_strength_that_would_not_help_is_not_called_too_strong():
    version = Version(number=1, base_model="b", base_sha256="", rule="same-prompt", strength=4.0)
    version.strength_curve = [{"strength": 4.0, "passes": 1.0}, {"strength": 6.0, "passes": 0.0, "expected": 0.01}]
    assert strength_words(version).endswith("The next one would not help, says the check.")
