import json

import pytest

from ui.export.export import export_lora
from ui.export.files import Format

DPM = {"sampler": "DPMSolverMultistepScheduler leading karras", "num_inference_steps": 20}


@pytest.fixture
def exported(published, as_if, tmp_path):
    """A function that exports v1 as if it had been drawn so: its workflow's nodes, and the README beside it."""

    def exported(rule: str = "same-prompt", wanted: str | None = None, **recorded: object):
        as_if(recorded, rule=rule)
        export_lora(published.model_copy(update={"scheduler": wanted}), 1, Format.comfyui, tmp_path / rule)
        nodes = json.loads((tmp_path / rule / "naysayer-v1-workflow.json").read_text()).values()
        return {node["class_type"]: node["inputs"] for node in nodes}, (tmp_path / rule / "README.txt").read_text()

    return exported


def test_a_workflow_names_the_sampler_and_the_steps_that_the_version_is_drawn_with(exported):
    nodes, readme = exported("same-prompt", **DPM)
    assert nodes["KSamplerSelect"]["sampler_name"] == "dpmpp_2m"
    assert (nodes["BasicScheduler"]["scheduler"], nodes["BasicScheduler"]["steps"]) == ("karras", 20)
    assert "pictures differ" not in readme
    nodes, _ = exported("negative-half", **DPM)
    assert [nodes["KSampler"][name] for name in ("sampler_name", "scheduler", "steps")] == ["dpmpp_2m", "karras", 20]


def test_a_sampler_that_was_set_since_wins(exported):
    nodes, _ = exported("negative-half", wanted="euler", **DPM)
    assert [nodes["KSampler"][name] for name in ("sampler_name", "scheduler")] == ["euler", "normal"]


def test_what_comfyui_cannot_do_is_said(exported):
    nodes, readme = exported(sampler="UnknownScheduler leading", guidance_interval="sigma 0.28 to 5.42")
    assert nodes["KSamplerSelect"]["sampler_name"] == "euler"
    assert "ComfyUI's Euler stands for UnknownScheduler" in readme
    assert "not only at sigma 0.28 to 5.42" in readme
