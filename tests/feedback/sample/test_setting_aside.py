from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import func, select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.evaluation import active_pairs, ensure_default, import_set, list_sets, new_set
from feedback.sample.plan import next_work
from feedback.sample.prompts import add_prompts, import_prompts, list_imports, list_prompts
from feedback.sample.setting_aside import Change, Changed, Which, change_prompts, weigh_prompts, would_lose
from feedback.sample.work import Job, Wanted
from feedback.versions import begin
from store.engine import reading
from store.errors import BadRequest
from store.tables import Image, Verdict, Vote


def active(engine: Engine) -> list[str]:
    return [prompt.text for prompt in list_prompts(engine) if prompt.is_active]


@pytest.fixture
def three(any_engine: Engine) -> Engine:
    begin(any_engine, "builtin", "0" * 64)
    add_prompts(any_engine, ["a red star", "a blue hand"], source="good.txt")
    import_prompts(any_engine, ["]", "a blue hand"], source="list.json")
    return any_engine


@pytest.mark.parametrize("change", [Change.pause, Change.remove])
@pytest.mark.parametrize("which", [Which(texts=[" ] "]), Which(source="list.json"), Which(number=2)])
def test_prompts_are_set_aside_by_text_source_or_import_and_restored(
    three: Engine, which: Which, change: Change
) -> None:
    assert change_prompts(three, which, change) == Changed(1, 0)
    assert active(three) == ["a red star", "a blue hand"]
    assert change_prompts(three, which, change) == Changed(0, 0)
    assert change_prompts(three, which, Change.restore) == Changed(1, 0)
    assert active(three) == ["a red star", "a blue hand", "]"]


def test_a_removed_prompt_is_never_drawn_again_not_even_when_it_is_imported_again(three: Engine) -> None:
    ensure_default(three, 6)
    assert change_prompts(three, Which(number=2), Change.remove).pairs == 2
    again = import_prompts(three, ["]", "a new cup"], source="again")
    assert (again.new, again.set_aside) == (1, 1)
    planned = next_work(three, Wanted(target=60, batch=60, base_slice=0.0, pairs=6))
    planned += next_work(three, Wanted(target=0, batch=60, base_slice=0.0, pairs=6))
    assert {work.prompt for work in planned} == {"a red star", "a blue hand", "a new cup"}


def test_the_default_set_replaces_the_pairs_of_removed_prompts(three: Engine) -> None:
    ensure_default(three, 6)
    with reading(three) as session:
        before = {(pair.prompt_id, pair.seed) for pair in active_pairs(session)}
    change_prompts(three, Which(texts=["]"]), Change.remove)
    ensure_default(three, 6)
    with reading(three) as session:
        pairs = active_pairs(session)
    assert len(pairs) == 6
    assert len(before & {(pair.prompt_id, pair.seed) for pair in pairs}) == 4
    ensure_default(three, 6)
    assert len(list_sets(three)) == 2


def test_removing_every_prompt_leaves_the_sets_as_they_are(three: Engine) -> None:
    ensure_default(three, 6)
    change_prompts(three, Which(texts=["a red star", "a blue hand", "]"]), Change.remove)
    ensure_default(three, 6)
    assert len(list_sets(three)) == 1
    assert next_work(three, Wanted(target=9, batch=9, base_slice=0.0, pairs=6)) == []


def test_a_paused_prompt_keeps_its_evaluation_pairs(three: Engine) -> None:
    ensure_default(three, 6)
    assert change_prompts(three, Which(number=2), Change.pause) == Changed(1, 0)
    with reading(three) as session:
        assert len(active_pairs(session)) == 6


def test_removing_keeps_pictures_and_votes(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine)
    [shown, *_] = next_images(any_engine, "ann", Terms(1, 60), count=6)
    record_votes(any_engine, "ann", [Press("r", shown.image_id, Verdict.reject)], Terms(1, 60))
    change_prompts(any_engine, Which(number=1), Change.remove)
    with reading(any_engine) as session:
        assert session.exec(select(func.count()).select_from(Image)).one() == 6
        assert session.exec(select(func.count()).select_from(Vote)).one() == 1
    assert active(any_engine) == []


def test_a_prompt_that_was_only_evaluated_joins_the_list_when_it_is_imported(three: Engine) -> None:
    import_set(three, "mine", [Job("a purple moon", 3)])
    assert change_prompts(three, Which(texts=["a purple moon"]), Change.restore) == Changed(0, 0)
    assert "a purple moon" not in active(three)
    assert add_prompts(three, ["a purple moon"], source="moons") == 1
    assert active(three)[-1] == "a purple moon"
    assert [row.source for row in list_imports(three)] == ["good.txt", "list.json", "moons"]


def test_an_evaluation_set_does_not_bring_a_removed_prompt_back(three: Engine) -> None:
    change_prompts(three, Which(texts=["]"]), Change.remove)
    with pytest.raises(BadRequest, match="was removed"):
        import_set(three, "mine", [Job("]", 3)])


def test_the_list_of_imports_tells_what_became_of_each(three: Engine) -> None:
    change_prompts(three, Which(texts=["a red star"]), Change.pause)
    change_prompts(three, Which(number=2), Change.remove)
    rows = [(row.number, row.source, row.active, row.paused, row.removed) for row in list_imports(three)]
    assert rows == [(1, "good.txt", 1, 1, 0), (2, "list.json", 0, 0, 1)]


@pytest.mark.parametrize(
    ("which", "why"),
    [
        (Which(), "give either"),
        (Which(texts=["]"], number=1), "give either"),
        (Which(source="x", number=1), "give either"),
        (Which(texts=["]", "absent"]), "'absent' is no prompt"),
        (Which(source="absent"), "no prompt came from 'absent'"),
        (Which(source="caf\udce9"), "no prompt came from"),
        (Which(texts=["caf\udce9"]), "is no prompt"),
        (Which(number=3), "no import 3"),
        (Which(number=-1), "no import -1"),
        (Which(number=2**80), "no import"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_changes(three: Engine, which: Which, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        change_prompts(three, which, Change.remove)
    assert len(active(three)) == 3


def test_a_weight_is_a_whole_number_that_some_prompts_get_and_no_other(any_engine):
    add_prompts(any_engine, ["a red star", "a blue hand"])
    [star, _] = list_prompts(any_engine)
    assert weigh_prompts(any_engine, Which(ids=[star.id]), 3) == 1
    assert weigh_prompts(any_engine, Which(["a red star", "a blue hand"]), 3) == 1
    assert [prompt.weight for prompt in list_prompts(any_engine)] == [3, 3]
    for weight in (0, 11, -1):
        with pytest.raises(BadRequest, match="from 1 to 10"):
            weigh_prompts(any_engine, Which(["a red star"]), weight)
    with pytest.raises(BadRequest, match="not in the list any more"):
        weigh_prompts(any_engine, Which(ids=[star.id, 999]), 2)
    assert [prompt.weight for prompt in list_prompts(any_engine)] == [3, 3]


def test_what_a_removal_would_lose_is_what_it_then_loses(any_engine):
    add_prompts(any_engine, ["a red star", "a blue hand"])
    new_set(any_engine, "pairs", 5)
    for which in (Which(["a red star"]), Which(number=1)):
        told = would_lose(any_engine, which)
        assert told.pairs > 0
        assert change_prompts(any_engine, which, Change.remove) == told
