"""From the simulated loop to a gate that refuses one version and promotes another: the pages beside the real worker."""

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

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
from feedback.sample.evaluation import new_set
from feedback.sample.requests import DrawRequest, Side, ask_drawing, task
from feedback.versions import champion, events, get_version
from store.engine import reading
from store.files import sha256_of_file
from store.layout import layout_of
from store.migrate import check_integrity, open_store
from store.settings import Settings
from store.tables import Action, Image, Origin, TaskStatus, Verdict
from tests.waiting import until
from ui.dashboard.playground.vocabulary import EXAMPLES

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
    "sweep_pictures": 4,
    "cross_fit": False,
}


def small(folder: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **(SMALL | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with v1 to v3, made by the simulated loop."""
    folder = tmp_path_factory.mktemp("looped") / "data"
    votes = 0
    while votes < 150:
        simulate(small(folder, promotion="auto"), 2, 10, Habits(error_rate=0.2, seed=votes))
        votes += 10
        engine = open_store(small(folder))
        number = champion(engine).number
        engine.dispose()
        if number >= 3:
            return folder
    pytest.fail("the simulated loop made no three versions of 150 votes")


@pytest.fixture
def store(looped: Path, tmp_path: Path) -> Iterator[tuple[Settings, Engine]]:
    shutil.copytree(looped, tmp_path / "data")
    settings = small(tmp_path / "data", promotion="gate")
    engine = open_store(settings)
    yield settings, engine
    assert check_integrity(engine) == []
    engine.dispose()


def rate(engine: Engine, taste: Callable[[Image], Verdict]) -> int:
    """One rater votes on what waits, as the page would: on how many sampled pictures."""
    shown = next_images(engine, "careful", Terms(1, 60), count=6)
    with reading(engine) as session:
        images = [session.get_one(Image, one.image_id) for one in shown]
    presses = [Press(uuid.uuid4().hex, image.id or 0, taste(image)) for image in images]
    assert not any(r.refused for r in record_votes(engine, "careful", presses, Terms(1, 60)))
    return sum(image.origin is Origin.sampled for image in images)


def evaluate(settings: Settings, engine: Engine, sampler: object, taste: Callable[[Image], Verdict]) -> Action:
    """The worker's loop and a rater in turn, until the gate has decided."""
    from trainer.sample.leading.leader import after_drawing
    from trainer.sample.worker import draw_and_record, plan

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
    from trainer.sample.playground import draw_asked
    from trainer.sample.worker import draw_and_record, plan, prepare

    settings, engine = store
    live = champion(engine).number
    bad, good = live + 1, live + 2
    sampler = prepare(engine, layout_of(settings), settings)
    new_set(engine, "walked", settings.evaluation_pairs or 10)  # of the first set the simulation rated some pairs

    def teach(taste: Callable[[Image], Verdict]) -> None:
        for _ in range(20):
            draw_and_record(engine, layout_of(settings), sampler, plan(engine, settings, 8))
            if rate(engine, taste):
                return
        pytest.fail("nobody was shown a sampled picture")

    # By mistake the good pictures are thumbed down, and a version is trained on them.
    teach(lambda image: Verdict.reject if image.origin is Origin.sampled else Verdict.keep)
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
        page.goto(f"{served.url}/versions?v={bad}")
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=f"v{bad}"))
        expect(row).to_contain_text("worse")
        expect(page.locator(".card h2")).to_contain_text(f"more rejects than v{live}")

        # The next one is liked better than the champion, blind, and goes live by itself.
        teach(lambda i: Verdict.reject if i.origin is Origin.sampled and (i.id or 0) % 2 else Verdict.keep)
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


def look_at(page: Page, url: str, number: int, tab: str = "") -> None:
    page.goto(f"{url}/versions?v={number}" + (f"&tab={tab}" if tab else ""))
    expect(page.locator(f".card[aria-label^='v{number} beside']")).to_be_visible()


def compare(page: Page, url: str, bad: int, live: int) -> None:
    look_at(page, url, bad)
    grid = page.locator(".root:has(fieldset)")
    expect(grid.locator(".pairs small").first).to_contain_text(f"v{live}")
    page.get_by_label("Blind").check()
    expect(grid.locator(".pairs small").first).to_have_text("A")
    expect(grid.locator(".pairs")).not_to_contain_text("rejected")
    page.get_by_label("Blind").uncheck()
    grid.get_by_role("radio", name=re.compile("Verdicts differ")).check()
    expect(grid.locator(".pairs small.rejected").first).to_be_visible()
    grid.locator(".pairs button").first.click()
    expect(page.locator("dialog[open] .sides img")).to_have_count(2)
    page.locator("dialog[open]").get_by_label("Lay one over the other").check()
    page.locator("dialog[open] input[type=range]").fill("20")
    expect(page.locator("dialog[open] .sides img").first).to_have_attribute("style", re.compile("80%"))
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Guards").click()
    expect(page.get_by_role("rowheader", name="diversity")).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    page.get_by_text("Everything that names and made").click()
    expect(page.get_by_role("rowheader", name="training steps").first).to_be_visible()


def force_and_roll_back(page: Page, url: str, engine: Engine, bad: int, good: int) -> None:
    look_at(page, url, bad)
    page.get_by_role("button", name=f"Promote v{bad}…").click()
    expect(page.get_by_text("Against it:")).to_be_visible()
    page.get_by_label("Reason").fill("to see it fail")
    page.get_by_role("button", name=f"Promote v{bad}", exact=True).click()
    expect(page.get_by_text("was not promoted")).to_be_visible()
    assert champion(engine).number == good
    page.get_by_text("Promote it anyway").click()
    page.get_by_role("button", name=f"Promote v{bad}", exact=True).click()
    until(lambda: champion(engine).number == bad, "the forced promotion")
    assert events(engine)[0].reason.startswith("to see it fail (forced: worse")
    page.goto(f"{url}/versions")
    page.get_by_role("button", name="Roll back…").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_text("Give a reason")).to_be_visible()
    page.get_by_label("Reason").fill("as expected")
    page.get_by_role("button", name="Roll back", exact=True).click()
    until(lambda: champion(engine).number == good, "the champion before")


def play(page: Page, url: str, engine: Engine, work: Callable[[], None]) -> None:
    page.goto(f"{url}/playground?seeds=1")
    prompt, draw = page.get_by_label("Prompt"), page.get_by_role("button", name="Draw", exact=True)
    draw.click()
    expect(page.get_by_text("Write what to draw")).to_be_visible()
    prompt.fill("a red castle")
    draw.click()
    expect(page.get_by_text("does not know “castle”")).to_be_visible()
    page.get_by_text(EXAMPLES[0]).click()
    expect(prompt).to_have_value(EXAMPLES[0])
    page.get_by_role("slider").last.press("ArrowLeft")
    expect(page).to_have_url(re.compile("right_strength"))
    draw.click()
    expect(page.get_by_text("No worker runs")).to_be_visible()
    work()
    expect(page.locator(".pair button img")).to_have_count(2)
    page.reload()
    expect(prompt).to_have_value(EXAMPLES[0])
    page.locator(".pair button").last.click()
    expect(page.locator("dialog[open] .place")).to_have_text("1 of 1 · seed 7")
    page.keyboard.press("Escape")
    propose(page, engine)
    number = ask_drawing(engine, DrawRequest("x", [1], [Side(999, 1.0)]))
    work()
    failed = task(engine, number)
    assert failed is not None
    assert failed.status is TaskStatus.failed
    assert "there is no version 999" in failed.message


def propose(page: Page, engine: Engine) -> None:
    page.get_by_role("button", name="Propose strength").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("calmer")
    dialog.get_by_role("button", name="Propose strength").click()
    expect(page.get_by_text("a challenger now").first).to_be_visible()
    made = events(engine)[0]
    assert (made.action, made.reason.endswith(": calmer")) == (Action.publish, True)
    assert champion(engine).number != made.to_version
    expect(page.get_by_text(f"as v{made.to_version} draws")).to_be_visible()


def download(page: Page, url: str, number: int, folder: Path) -> Path:
    """The file for diffusers; the zip for ComfyUI comes whole, too."""
    look_at(page, url, number, "files")
    paths = []
    for section in (page.locator(".first"), page.locator(".others section").filter(has_text="diffusers")):
        with page.expect_download() as waited:
            section.get_by_role("link").click()
        paths.append(folder / waited.value.suggested_filename)
        waited.value.save_as(paths[-1])
    with ZipFile(paths[0]) as archive:
        assert archive.testzip() is None
        workflow = f"naysayer-v{number}-workflow.json"
        assert archive.namelist() == [f"naysayer-v{number}-kohya.safetensors", workflow, "README.txt"]
    return paths[1]


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
