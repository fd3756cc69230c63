"""Controls for the built-in model: pictures drawn by code for its own prompts, half of them wrong. No torch."""

import io

import numpy as np
from PIL import ImageFilter

from feedback.rate.controls import DrawnControl, record_drawn_controls
from feedback.rate.display import put_picture
from feedback.sample.prompts import list_prompts
from feedback.sample.work import Drawing
from store.errors import BadRequest
from store.existing import open_existing
from store.layout import layout_of
from store.settings import Settings
from store.tables import Verdict
from trainer.world.drawing import draw
from trainer.world.judging import judge
from trainer.world.pen import SIZE
from trainer.world.pictures import pick_fault
from trainer.world.scenes import read_prompt

BLUR_PX = 0.5  # drawn edges are sharper than the model's, which would give them away
DRAWN = Drawing("plain", 0.0, 1.0, 1, SIZE, SIZE)


def draw_controls(settings: Settings, count: int, seed: int) -> int:
    """How many new controls were made. The judge has seen each of them and agrees with its answer.

    Raises BadRequest when there is no store, the model is not the built-in one, or no prompt of the list is of its
    world.
    """
    if not settings.is_builtin:
        raise BadRequest(
            f"only the built-in model's pictures can be drawn, NAYSAYER_MODEL is {settings.model!r}; "
            "make controls with `naysayer controls agreed` or `add`"
        )
    engine, layout = open_existing(settings), layout_of(settings)
    prompts = [(prompt.id, prompt.text) for prompt in list_prompts(engine) if prompt.is_active]
    known = [(number, text, scene) for number, text in prompts if number and (scene := read_prompt(text))]
    if not known:
        raise BadRequest("no prompt of the list can be drawn; run `naysayer generate` once, which fills the list")
    rng, drawn = np.random.default_rng(seed), []
    for place in range(count):
        number, text, scene = known[rng.integers(len(known))]
        fault = pick_fault(scene.subject, rng) if place % 2 else None
        picture = draw(scene, rng, fault).filter(ImageFilter.GaussianBlur(BLUR_PX))
        if bool(judge(picture, text)) != (fault is not None):
            continue
        file = io.BytesIO()
        picture.save(file, "PNG")
        answer = Verdict.reject if fault else Verdict.keep
        drawn.append(DrawnControl(number, int(rng.integers(2**31)), put_picture(layout, file.getvalue()), answer))
    return record_drawn_controls(engine, drawn, DRAWN, by="command line")
