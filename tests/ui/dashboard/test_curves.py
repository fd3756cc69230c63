from ui.dashboard.curves import strengths_html


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
