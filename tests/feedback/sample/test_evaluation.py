from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlmodel import select

from feedback.pool.tally import COUNTED, rebuild
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.retrain.manifest import freeze
from feedback.sample.claims import record_images
from feedback.sample.evaluation import (
    FIRST_EVALUATION_SEED,
    active_pairs,
    ensure_default,
    held_out,
    import_set,
    list_sets,
    load_held_out_hashes,
    new_set,
    pair_hash,
    use_set,
)
from feedback.sample.plan import next_work
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Drawing, Job, Wanted
from feedback.versions import begin
from store.engine import reading, writing
from store.errors import BadRequest, TooFewRejects
from store.tables import (
    EvaluationPair,
    EvaluationSet,
    EvaluationUse,
    Image,
    Lease,
    Manifest,
    ManifestItem,
    Origin,
    Prompt,
    Verdict,
    Vote,
)

DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)
TEXTS = ["a red star", "a blue hand", "a green word"]


def reject_all(engine: Engine) -> None:
    images = next_images(engine, "ann", Terms(1, 60), count=999)
    presses = [Press(f"r-{shown.image_id}", shown.image_id, Verdict.reject) for shown in images]
    assert not any(r.refused for r in record_votes(engine, "ann", presses, Terms(1, 60)))


def hashes(engine: Engine) -> set[str]:
    with reading(engine) as session:
        return load_held_out_hashes(session)


def empty(engine: Engine) -> None:
    with writing(engine) as session:
        for table in (
            *COUNTED,
            ManifestItem,
            Manifest,
            Lease,
            Vote,
            Image,
            EvaluationPair,
            EvaluationUse,
            EvaluationSet,
        ):
            session.exec(delete(table))
        rebuild(session)


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sampled=st.lists(st.tuples(st.sampled_from(TEXTS), st.integers(0, 12)), min_size=1, max_size=25, unique=True),
    evaluated=st.lists(st.tuples(st.sampled_from(TEXTS), st.integers(0, 12)), min_size=1, max_size=25, unique=True),
    is_imported_first=st.booleans(),
)
def test_a_manifest_and_an_evaluation_set_never_meet(
    engine: Engine, sampled: list[tuple[str, int]], evaluated: list[tuple[str, int]], is_imported_first: bool
) -> None:
    from feedback.sample.work import Work
    from store.tables import Origin

    empty(engine)
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, TEXTS)
    with reading(engine) as session:
        ids = {prompt.text: prompt.id or 0 for prompt in session.exec(select(Prompt))}
    works = [Work(ids[text], text, seed, 0, Origin.sampled) for text, seed in sampled]
    record_images(engine, [(w, f"{n:064x}", f"{n:064x}") for n, w in enumerate(works)], DRAWING)
    pairs = [Job(text, seed) for text, seed in evaluated]
    if is_imported_first:
        import_set(engine, "mine", pairs)
    reject_all(engine)
    try:
        trained = {pair_hash(item.prompt, item.seed) for item in freeze(engine, "0" * 64).items}
    except TooFewRejects:
        trained = set()
    if not is_imported_first:
        meets = trained & {pair_hash(*pair) for pair in pairs}
        if meets:
            with pytest.raises(BadRequest, match=f"{len(meets)} of the pairs were trained on"):
                import_set(engine, "mine", pairs)
        else:
            import_set(engine, "mine", pairs)
    assert trained & hashes(engine) == set()


def test_the_sampler_never_draws_an_imported_pair(engine: Engine) -> None:
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, ["a red star"])
    plan = Wanted(target=50, batch=50, base_slice=0.5, pairs=0)
    likely = [work.job for work in next_work(engine, plan)]
    import_set(engine, "likely", likely)
    planned = next_work(engine, plan)
    assert planned
    assert not {pair_hash(work.prompt, work.seed) for work in planned} & hashes(engine)


def test_the_default_set_spreads_over_the_prompts_and_is_made_once(any_engine: Engine) -> None:
    begin(any_engine, "builtin", "0" * 64)
    ensure_default(any_engine, 12)
    assert list_sets(any_engine) == []
    add_prompts(any_engine, TEXTS)
    for _ in range(2):
        ensure_default(any_engine, 12)
    [row] = list_sets(any_engine)
    assert (row.pairs, row.prompts, row.is_active) == (12, 3, True)
    ensure_default(any_engine, 5)
    assert list_sets(any_engine) == [row]


def test_a_longer_default_begins_with_the_shorter_and_leaves_it_as_it_was(any_engine: Engine) -> None:
    add_prompts(any_engine, TEXTS)
    ensure_default(any_engine, 6)
    with reading(any_engine) as session:
        before = [pair.model_dump() for pair in session.exec(select(EvaluationPair).order_by(EvaluationPair.ordinal))]
    ensure_default(any_engine, 9)
    with reading(any_engine) as session:
        first, second = (
            [
                pair.model_dump()
                for pair in session.exec(
                    select(EvaluationPair).where(EvaluationPair.set_id == n).order_by(EvaluationPair.ordinal)
                )
            ]
            for n in (1, 2)
        )
    assert first == before
    assert {row["pair_hash"] for row in first} < {row["pair_hash"] for row in second}


def test_an_imported_set_is_in_use_and_its_new_prompts_are_not_sampled(any_engine: Engine) -> None:
    add_prompts(any_engine, TEXTS)
    ensure_default(any_engine, 6)
    row = import_set(any_engine, "mine", [Job("a red star", 3), Job("a purple moon", 3)])
    assert (row.number, row.name, row.pairs, row.is_active) == (2, "mine", 2, True)
    ensure_default(any_engine, 12)
    assert [row.name for row in list_sets(any_engine)] == ["mine", "default"]
    with reading(any_engine) as session:
        assert not session.exec(select(Prompt).where(Prompt.text == "a purple moon")).one().is_active


def test_fresh_sets_share_no_pair(any_engine: Engine) -> None:
    add_prompts(any_engine, TEXTS)
    new_set(any_engine, "one", 5)
    new_set(any_engine, "two", 5)
    assert len(hashes(any_engine)) == 10


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([], "1 to 100,000"),
        ([Job("a", 1), Job(" a ", 1)], "given twice"),
        ([Job("a", -1)], "the seed -1"),
        ([Job("a", 2**53)], "the seed"),
        ([Job("a\x00b", 1)], "control character U.0000"),
    ],
)
def test_a_set_that_will_not_do_is_refused_whole(pairs: list[Job], why: str, engine: Engine) -> None:
    with pytest.raises(BadRequest, match=why):
        import_set(engine, "mine", pairs)
    assert list_sets(engine) == []
    with reading(engine) as session:
        assert session.exec(select(Prompt)).all() == []


def test_the_same_pairs_are_no_second_set(engine: Engine, fill: Callable) -> None:
    import_set(engine, "mine", [Job("a", 1)])
    with pytest.raises(BadRequest, match="very same pairs"):
        import_set(engine, "again", [Job("a", 1)])


def test_fresh_pairs_are_found_beside_the_largest_seed(any_engine: Engine) -> None:
    add_prompts(any_engine, TEXTS)
    import_set(any_engine, "mine", [Job("a red star", 2**53 - 1), Job("a red star", 2**31)])
    assert new_set(any_engine, "fresh", 4).pairs == 4
    assert len(hashes(any_engine)) == 6


def test_a_prompt_written_another_way_is_the_same_prompt(any_engine: Engine) -> None:
    add_prompts(any_engine, ["a café"])
    import_set(any_engine, "mine", [Job(" a  cafe\u0301", 1)])
    assert list_sets(any_engine)[0].prompts == 1
    with reading(any_engine) as session:
        assert session.exec(select(Prompt.text)).all() == ["a café"]


@pytest.mark.parametrize("name", ["caf\udce9", "a\0b", "\x1b[31m"])
def test_the_name_of_a_set_is_text(name: str, engine: Engine) -> None:
    with pytest.raises(BadRequest, match="the set's name"):
        import_set(engine, name, [Job("a", 1)])
    assert list_sets(engine) == []


def seeds_of(engine: Engine, number: int) -> list[tuple[str, int]]:
    with reading(engine) as session:
        rows = select(Prompt.text, EvaluationPair.seed).join(Prompt, Prompt.id == EvaluationPair.prompt_id)
        return [
            tuple(row)
            for row in session.exec(rows.where(EvaluationPair.set_id == number).order_by(EvaluationPair.ordinal))
        ]


@pytest.mark.parametrize("pairs", [0, -1, 100_001])
def test_a_set_of_no_pairs_or_too_many_is_refused(pairs: int, engine: Engine) -> None:
    add_prompts(engine, TEXTS)
    with pytest.raises(BadRequest, match=f"1 to 100,000 pairs; {pairs} were asked for"):
        new_set(engine, "one", pairs)
    assert list_sets(engine) == []


def test_without_a_prompt_there_is_no_set(engine: Engine) -> None:
    with pytest.raises(BadRequest, match="prompt list is empty"):
        new_set(engine, "one", 5)


def test_a_fresh_set_goes_through_the_prompts_in_turn_with_unused_seeds(any_engine: Engine, fill: Callable) -> None:
    add_prompts(any_engine, TEXTS)
    row = new_set(any_engine, "  one  two ", 5)
    assert (row.name, row.pairs, row.prompts, row.is_active) == ("one two", 5, 3, True)
    first = seeds_of(any_engine, 1)
    assert [text for text, _ in first[:3]] == [text for text, _ in first[3:]] + [first[2][0]]
    assert [seed for _, seed in first] == list(range(FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + 5))
    [image] = fill(any_engine, images=1, origin=Origin.evaluation)
    with writing(any_engine) as session:
        session.get_one(Image, image).seed = FIRST_EVALUATION_SEED + 6
    new_set(any_engine, "", 3)
    assert [seed - FIRST_EVALUATION_SEED for _, seed in seeds_of(any_engine, 2)] == [5, 7, 8]
    assert [(row.number, row.name, row.is_active) for row in list_sets(any_engine)] == [
        (2, "default", True),
        (1, "one two", False),
    ]
    assert len(list_sets(any_engine)[0].sha256) == 64


def test_pairs_drawn_before_there_were_sets_begin_the_default(any_engine: Engine, fill: Callable) -> None:
    fill(any_engine, images=3, origin=Origin.evaluation)
    with writing(any_engine) as session:
        for number, seed in ((1, 30), (2, 10), (3, 20)):
            session.get_one(Image, number).seed = seed
        texts = {image.seed: session.get_one(Prompt, image.prompt_id).text for image in session.exec(select(Image))}
    ensure_default(any_engine, 5)
    pairs = seeds_of(any_engine, 1)
    assert pairs[:3] == [(texts[seed], seed) for seed in (10, 20, 30)]
    assert [seed for _, seed in pairs[3:]] == [FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + 1]


def test_no_default_is_made_of_no_pairs_or_beside_an_imported_set(any_engine: Engine) -> None:
    add_prompts(any_engine, TEXTS)
    ensure_default(any_engine, 0)
    assert list_sets(any_engine) == []
    import_set(any_engine, "mine", [Job("a red star", 3)])
    ensure_default(any_engine, 12)
    assert [row.name for row in list_sets(any_engine)] == ["mine"]


def test_a_pair_is_held_out_by_prompt_and_seed_together(any_engine: Engine) -> None:
    import_set(any_engine, "mine", [Job("a red star", 3)])
    with reading(any_engine) as session:
        pairs = [("a red star", 3), ("a red star", 4), ("a blue hand", 3)]
        assert held_out(session, pairs) == {("a red star", 3)}


def test_a_long_name_is_cut_and_the_prompts_know_their_set(engine: Engine) -> None:
    assert import_set(engine, "x" * 90, [Job("a red star", 3)]).name == "x" * 80
    with reading(engine) as session:
        prompt = session.exec(select(Prompt)).one()
    assert (prompt.source, prompt.is_active) == (f"evaluation set {'x' * 80}", False)


def test_an_older_set_is_used_again_and_stays_in_use(any_engine: Engine) -> None:
    add_prompts(any_engine, TEXTS)
    ensure_default(any_engine, 3)
    new_set(any_engine, "mine", 5, by="ann")
    used = use_set(any_engine, 1, by="bob")
    assert (used.number, used.is_active, used.pairs) == (1, True, 3)
    assert [row.is_active for row in list_sets(any_engine)] == [False, True]
    with reading(any_engine) as session:
        assert len(active_pairs(session)) == 3
        assert [use.by for use in session.exec(select(EvaluationUse).order_by(EvaluationUse.id))] == [
            "worker",
            "ann",
            "bob",
        ]
    ensure_default(any_engine, 9)  # the worker lengthens its own set, not one that somebody chose
    assert [row.pairs for row in list_sets(any_engine) if row.is_active] == [3]
    new_set(any_engine, "newer", 2)
    assert [row.name for row in list_sets(any_engine) if row.is_active] == ["newer"]


@pytest.mark.parametrize(
    ("number", "sentence"), [(9, "no evaluation set 9"), (1, "in use already"), (2**40, "no eval")]
)
def test_only_a_set_that_is_there_and_not_in_use_can_be_used(any_engine: Engine, number: int, sentence: str) -> None:
    add_prompts(any_engine, TEXTS)
    new_set(any_engine, "mine", 2)
    with pytest.raises(BadRequest, match=sentence):
        use_set(any_engine, number)
