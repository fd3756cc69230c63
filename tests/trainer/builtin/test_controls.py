import io
import subprocess
import sys

import pytest
from PIL import Image as Picture

from feedback.rate.controls import control_rows
from feedback.sample.prompts import add_prompts
from feedback.versions import begin
from store.errors import BadRequest
from store.layout import layout_of
from store.tables import Verdict
from tests.waiting import PATIENCE_S
from trainer.builtin.controls import draw_controls
from trainer.world import default_prompts, judge


def test_drawn_controls_are_what_they_say_to_the_judge(settings, engine):
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, [*default_prompts(2), "something else entirely"])
    assert draw_controls(settings, 40, seed=1) >= 36
    assert draw_controls(settings, 40, seed=1) == 0
    rows = control_rows(engine)
    assert {row.answer for row in rows} == {Verdict.reject, Verdict.keep}
    assert {row.source for row in rows} == {"drawn"}
    for row in rows:
        with Picture.open(io.BytesIO(layout_of(settings).blobs.get(row.sha256))) as picture:
            assert bool(judge(picture, row.prompt)) == (row.answer is Verdict.reject)
            assert picture.info == {}


def test_other_models_have_no_drawn_controls(settings, engine):
    with pytest.raises(BadRequest, match="controls agreed"):
        draw_controls(settings.model_copy(update={"model": "some/sdxl"}), 4, 0)


def test_drawing_controls_loads_no_torch():
    code = "import sys, trainer.builtin.controls; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE_S, check=False).returncode == 0
