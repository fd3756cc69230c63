import base64
import io

import pytest
from PIL import Image

from feedback.sample.requests import DrawAnswer, DrawRequest, Side, ask_drawing, task
from store.layout import layout_of
from store.migrate import open_store
from store.tables import TaskStatus
from trainer.sample.playground import draw_asked
from trainer.sample.tries import CheckedSampler


class Watched(CheckedSampler):
    """The sampler; `seen` gets what the page would show after each step."""

    def draw(self, version, jobs, on_step=None, redraw=None):
        def look(step):
            on_step(step)
            self.seen.append(task(self.engine, self.number))

        return super().draw(version, jobs, look, redraw)


@pytest.fixture
def engine(rated):
    engine = open_store(rated)
    yield engine
    engine.dispose()


@pytest.fixture
def sampler(rated, base, engine):
    sampler = Watched(base, layout_of(rated))
    sampler.engine, sampler.seen = engine, []
    return sampler


def test_a_picture_is_shown_while_it_is_drawn(rated, engine, sampler):
    sampler.number = ask_drawing(engine, DrawRequest("a red cat", [3, 4], [Side(0, 4.0)]))
    draw_asked(engine, layout_of(rated), sampler, report_every_s=0.0)
    first = DrawAnswer.of(sampler.seen[0]).coming
    assert (first.side, first.seed, first.step, first.number) == (0, 3, 1, 1)
    scheme, coming = first.glimpse.split(",")
    assert scheme == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(coming))).size == (64, 64)
    done = task(engine, sampler.number)
    assert done.status is TaskStatus.done
    assert DrawAnswer.of(done).coming is None
    assert [(one.side, one.seed) for one in DrawAnswer.of(done).drawn] == [(0, 3), (0, 4)]


def test_an_unknown_version_fails_the_request_in_a_sentence(rated, engine, sampler):
    number = ask_drawing(engine, DrawRequest("a red cat", [3], [Side(99)]))
    draw_asked(engine, layout_of(rated), sampler)
    failed = task(engine, number)
    assert failed.status is TaskStatus.failed
    assert "99" in failed.message


def test_without_a_request_nothing_is_drawn(rated, engine, sampler):
    draw_asked(engine, layout_of(rated), sampler)
    assert sampler.seen == []
