from feedback.sample.evaluation import list_sets, new_set, use_set
from feedback.sample.prompts import add_prompts
from ui.dashboard.setup.evaluation import based_on
from ui.web.templates import render


def test_the_set_in_use_is_told_and_only_others_can_be_used(engine):
    assert based_on([]) == ["no set yet: the worker makes the default one from the prompt list"]
    add_prompts(engine, ["a red star"])
    for name in ("first", "second"):
        new_set(engine, name, 3)
    assert based_on(list_sets(engine))[0] == "in use: second, 3 pairs over 1 prompt"
    use_set(engine, 1)
    assert based_on(list_sets(engine))[0] == "in use: first, 3 pairs over 1 prompt"
    html = render("dashboard/setup/html/sets.html", rows=list_sets(engine))
    assert html.count('data-do="use"') == 1
    assert 'data-id="2"' in html
