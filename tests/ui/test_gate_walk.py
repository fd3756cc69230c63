"""From the simulated loop to a gate that refuses one version and promotes another: the pages beside the real worker."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlmodel import select

from bench.loop.simulate import Habits, simulate
from feedback.gate.evidence import evidence_of
from feedback.gate.gate import Conclusion
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.requests import NO_WORKER, DrawRequest, ask_drawing, task
from feedback.versions import champion, events, get_version
from store.engine import reading
from store.files import sha256_of_file
from store.layout import layout_of
from store.migrate import check_integrity, open_store
from store.settings import Settings
from store.tables import Action, Image, Origin, TaskStatus, Verdict
from tests.ui.test_whole_loop import until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

SMALL = {
    "num_inference_steps": 2,
    "queue_target": 8,
    "evaluation_pairs": 10,
    "retrain_after": 5,
    "auto_retrain": False,
    "train_steps": 3,
    "train_batch": 4,
    "checkpoint_every": 3,
    "lora_rank": 2,
    "lora_layers": "attention",
}


def small(folder: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **(SMALL | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with v1 to v3, made by the simulated loop."""
    folder = tmp_path_factory.mktemp("looped") / "data"
    votes = 0
    while votes < 90:
        simulate(small(folder, promotion="auto"), 2, 10, Habits(error_rate=0.2, seed=votes))
        votes += 10
        engine = open_store(small(folder))
        number = champion(engine).number
        engine.dispose()
        if number >= 3:
            return folder
    pytest.fail("the simulated loop made no three versions of 90 votes")


@pytest.fixture
def store(looped: Path, tmp_path: Path) -> Iterator[tuple[Settings, Engine]]:
    shutil.copytree(looped, tmp_path / "data")
    settings = small(tmp_path / "data", promotion="gate")
    engine = open_store(settings)
    yield settings, engine
    assert check_integrity(engine) == []
    engine.dispose()


def rate(engine: Engine, taste: Callable[[Image], Verdict]) -> int:
    """One rater votes on what waits, as the page would: how many."""
    shown = next_images(engine, "careful", Terms(1, 60), count=6)
    with reading(engine) as session:
        images = [session.get_one(Image, one.image_id) for one in shown]
    presses = [Press(uuid.uuid4().hex, image.id or 0, taste(image)) for image in images]
    assert not any(r.refused for r in record_votes(engine, "careful", presses, Terms(1, 60)))
    return len(images)


def evaluate(settings: Settings, engine: Engine, sampler: object, taste: Callable[[Image], Verdict]) -> Action:
    """The worker's loop and a rater in turn, until the gate has decided."""
    from trainer.sample.worker import after_drawing, draw_and_record, plan

    before = events(engine)[0].id
    for _ in range(80):
        draw_and_record(engine, layout_of(settings), sampler, plan(engine, settings, 8))  # type: ignore[arg-type]
        after_drawing(engine, layout_of(settings), settings)
        if events(engine)[0].id != before:
            return events(engine)[0].action
        rate(engine, taste)
    pytest.fail("the gate did not decide")


def test_versions_are_compared_refused_promoted_forced_rolled_back_and_downloaded(
    store: tuple[Settings, Engine], serve: Callable, page: Page, tmp_path: Path
) -> None:
    from trainer.retrain.retrain import retrain
    from trainer.sample.worker import draw_and_record, draw_asked, plan, prepare

    settings, engine = store
    live = champion(engine).number
    bad, good = live + 1, live + 2
    sampler = prepare(engine, layout_of(settings), settings)

    # By mistake the good pictures are thumbed down, and a version is trained on them.
    draw_and_record(engine, layout_of(settings), sampler, plan(engine, settings, 8))
    assert rate(engine, lambda image: Verdict.reject) > 0
    assert retrain(settings, force=True).version == bad
    dislikes = {bad}

    def taste(image: Image) -> Verdict:
        if image.origin is Origin.sampled:
            return Verdict.keep
        return Verdict.reject if image.version in dislikes else Verdict.keep

    with serve(settings) as served:
        assert evaluate(settings, engine, sampler, taste) is Action.refuse
        assert champion(engine).number == live
        assert evidence_of(engine, bad).conclusion is Conclusion.worse
        page.goto(f"{served.url}/versions")
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=f"v{bad}"))
        expect(row).to_contain_text("worse", timeout=60_000)
        expect(page.locator(".ns-conclusion")).to_contain_text("more rejects than the champion")

        # The next one is liked better than the champion, blind, and goes live by itself.
        draw_and_record(engine, layout_of(settings), sampler, plan(engine, settings, 8))
        assert rate(engine, lambda image: Verdict.reject if (image.id or 0) % 2 else Verdict.keep) > 0
        assert retrain(settings, force=True).version == good
        dislikes.add(live)
        with reading(engine) as session:
            judged = list(session.exec(select(Image).where(Image.version == live, Image.origin == Origin.evaluation)))
        for image in judged:  # the champion's pictures were judged in the comparison before; the rater thinks again
            press = Press(uuid.uuid4().hex, image.id or 0, Verdict.reject)
            record_votes(engine, "careful", [press], Terms(1, 60))
        assert evaluate(settings, engine, sampler, taste) is Action.promote
        assert champion(engine).number == good
        assert events(engine)[0].reason.startswith("better: of ")

        compare(page, served.url, bad, good)
        force_and_roll_back(page, served.url, engine, bad, good)
        play(page, served.url, engine, lambda: draw_asked(engine, layout_of(settings), sampler))
        path = download(page, served.url, good, tmp_path)
    assert sha256_of_file(path) == get_version(engine, good).sha256
    loads_in_a_plain_pipeline(path, settings)


def look_at(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/versions")
    option = page.get_by_role("option", name=name, exact=True)

    def is_open() -> bool:
        page.get_by_label("Look at").click(timeout=60_000)
        page.wait_for_timeout(500)
        return option.is_visible()

    until(is_open, "the list of versions to stay open", 60)  # a page that is still being drawn closes it again
    option.click()


def compare(page: Page, url: str, bad: int, live: int) -> None:
    look_at(page, url, f"v{bad}")
    expect(page.locator(".grid thead th").last).to_have_text(f"v{bad}", timeout=60_000)
    assert page.locator(".grid thead th").all_inner_texts() == ["Prompt", "v0 (base)", f"v{live} (champion)", f"v{bad}"]
    page.get_by_label("Blind").check()
    heads = page.locator(".grid thead th").all_inner_texts()[1:]
    assert heads == ["A", "B", "C"][: len(heads)]
    assert "rejected" not in page.locator(".grid tbody").inner_text()
    page.get_by_label("Blind").uncheck()
    page.get_by_label("Only where verdicts differ").check()
    expect(page.locator(".grid .said.reject").first).to_be_visible()
    page.locator(".grid td button").first.click()
    expect(page.locator("dialog[open] .pair img")).to_have_count(2)
    page.locator("dialog[open] input[type=range]").fill("20")
    assert "80%" in (page.locator("dialog[open] .over").get_attribute("style") or "")
    page.get_by_role("button", name="Close", exact=True).last.click()
    page.get_by_role("tab", name="Guardrails").click()
    expect(page.get_by_role("rowheader", name="diversity")).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    expect(page.get_by_role("rowheader", name="train_steps")).to_be_visible()


def force_and_roll_back(page: Page, url: str, engine: Engine, bad: int, good: int) -> None:
    look_at(page, url, f"v{bad}")
    page.get_by_role("button", name=f"Promote v{bad}…").click()
    expect(page.get_by_text("Against it:")).to_be_visible(timeout=30_000)
    page.get_by_label("Reason").fill("to see it fail")
    page.get_by_role("button", name=f"Promote v{bad}", exact=True).click()
    expect(page.get_by_text("was not promoted")).to_be_visible(timeout=30_000)
    assert champion(engine).number == good
    page.get_by_text("Promote it anyway").click()
    page.get_by_role("button", name=f"Promote v{bad}", exact=True).click()
    until(lambda: champion(engine).number == bad, "the forced promotion", 30)
    assert events(engine)[0].reason.startswith("to see it fail (forced: worse")
    page.goto(f"{url}/versions")
    page.get_by_role("button", name="Roll back…").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_text("Give a reason")).to_be_visible(timeout=30_000)
    page.get_by_label("Reason").fill("as expected")
    page.get_by_role("button", name="Roll back", exact=True).click()
    until(lambda: champion(engine).number == good, "the champion before", 30)


def play(page: Page, url: str, engine: Engine, work: Callable[[], None]) -> None:
    page.goto(f"{url}/playground")
    page.get_by_label("Prompt").fill("a red star")
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_text(NO_WORKER)).to_be_visible(timeout=30_000)
    work()
    expect(page.locator(".ns-play img")).to_have_count(2, timeout=30_000)
    number = ask_drawing(engine, DrawRequest("x", 1, [999], 1.0))
    work()
    failed = task(engine, number)
    assert failed is not None
    assert failed.status is TaskStatus.failed
    assert "there is no version 999" in failed.message


def download(page: Page, url: str, number: int, folder: Path) -> Path:
    look_at(page, url, f"v{number} · champion")
    page.get_by_role("tab", name="Files").click()
    with page.expect_download() as waited:
        page.get_by_role("button", name="LoRA for diffusers").click()
    path = folder / waited.value.suggested_filename
    waited.value.save_as(path)
    return path


def loads_in_a_plain_pipeline(path: Path, settings: Settings) -> None:
    import warnings

    import torch
    from diffusers import StableDiffusionXLPipeline

    from trainer.base.weights import BUILTIN_FOLDER

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionXLPipeline.from_pretrained(BUILTIN_FOLDER, use_safetensors=True, add_watermarker=False)
        pipe.set_progress_bar_config(disable=True)

        def draw() -> torch.Tensor:
            random = torch.Generator().manual_seed(1)
            return pipe("a red star", num_inference_steps=2, generator=random, output_type="latent").images

        plain = draw()
        pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="negative")
        assert pipe.get_active_adapters() == ["negative"]
        assert not torch.equal(draw(), plain)
