from dataclasses import replace

from feedback.figures.comparable import unlike_rates
from feedback.sample.claims import record_images
from feedback.sample.conditions import Conditions
from feedback.sample.work import Work
from store.tables import Origin
from tests.conftest import DRAWING


def draw(engine, version: int, seed: int, **conditions: object) -> None:
    work = Work(1, "a red star", seed, version, Origin.sampled)
    record_images(engine, [(work, f"{seed:064x}", "0" * 64)], replace(DRAWING, conditions=Conditions(**conditions)))


def test_plain_rates_of_pictures_drawn_differently_are_said_not_to_compare(engine, fill, publish_version):
    fill(engine)
    publish_version(engine, 1)
    draw(engine, 0, 100, width=64, num_inference_steps=20)
    draw(engine, 1, 101, width=64, num_inference_steps=20)
    assert unlike_rates(engine, 1) == unlike_rates(engine, 0) == []
    draw(engine, 0, 102, width=64, num_inference_steps=2)
    (said,) = unlike_rates(engine, 1)
    assert said.startswith("The sampled pictures of v0 and of v1 were not all drawn under the same settings (steps)")
