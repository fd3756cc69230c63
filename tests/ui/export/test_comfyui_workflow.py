import json
import re
from collections.abc import Callable

import pytest

from ui.export.comfyui_workflow import Example, build_same_prompt
from ui.export.export import export_lora
from ui.export.files import Format

# Outputs and inputs of ComfyUI's nodes, from `nodes.py`, `nodes_hooks.py`, `nodes_custom_sampler.py`.
OUTPUTS = {
    "CheckpointLoaderSimple": ["MODEL", "CLIP", "VAE"],
    "CLIPTextEncode": ["CONDITIONING"],
    "ConditioningZeroOut": ["CONDITIONING"],
    "ConditioningSetProperties": ["CONDITIONING"],
    "CreateHookLoraModelOnly": ["HOOKS"],
    "CreateHookLora": ["HOOKS"],
    "SetClipHooks": ["CLIP"],
    "LoraLoaderModelOnly": ["MODEL"],
    "LoraLoader": ["MODEL", "CLIP"],
    "EmptyLatentImage": ["LATENT"],
    "KSampler": ["LATENT"],
    "SamplerCustomAdvanced": ["LATENT", "LATENT"],
    "DualCFGGuider": ["GUIDER"],
    "RandomNoise": ["NOISE"],
    "KSamplerSelect": ["SAMPLER"],
    "BasicScheduler": ["SIGMAS"],
    "VAEDecode": ["IMAGE"],
    "SaveImage": [],
}


INPUTS = {
    "clip": "CLIP",
    "model": "MODEL",
    "vae": "VAE",
    "conditioning": "CONDITIONING",
    "cond_NEW": "CONDITIONING",
    "positive": "CONDITIONING",
    "negative": "CONDITIONING",
    "cond1": "CONDITIONING",
    "cond2": "CONDITIONING",
    "opt_hooks": "HOOKS",
    "hooks": "HOOKS",
    "latent_image": "LATENT",
    "samples": "LATENT",
    "images": "IMAGE",
    "guider": "GUIDER",
    "noise": "NOISE",
    "sampler": "SAMPLER",
    "sigmas": "SIGMAS",
}


TEXT = {"lora_text_encoders": True}
RULES = ("negative-half", "same-prompt", "woolf")
WITH_LORA = {
    ("negative-half", False): "CreateHookLoraModelOnly",
    ("negative-half", True): "CreateHookLora",
    ("same-prompt", False): "CreateHookLoraModelOnly",
    ("same-prompt", True): "CreateHookLora",
    ("woolf", False): "LoraLoaderModelOnly",
    ("woolf", True): "LoraLoader",
}
"""The node that loads the LoRA, by rule and by whether a text is read with it."""


def one_of(workflow: dict[str, dict], kind: str) -> dict:
    (found,) = [node for node in workflow.values() if node["class_type"] == kind]
    return found


@pytest.fixture
def exported(published, as_if, tmp_path) -> Callable[..., dict[str, dict]]:
    """A function that exports v1 as if it were so; the workflow that lies beside its LoRA."""

    def exported(rule: str, **settings: object) -> dict[str, dict]:
        as_if(settings, rule=rule)
        export_lora(published, 1, Format.comfyui, tmp_path / "out")
        (path,) = (tmp_path / "out").glob("*.json")
        return json.loads(path.read_text())

    return exported


@pytest.mark.parametrize("more", [{}, TEXT, {"negative_prompt": "wrong"}, TEXT | {"negative_prompt": "wrong"}])
@pytest.mark.parametrize("rule", RULES)
def test_the_one_workflow_follows_the_rule_and_its_wires_join_what_fits(exported, rule, more):
    workflow = exported(rule, **more)
    kinds = [node["class_type"] for node in workflow.values()]
    assert set(kinds) <= OUTPUTS.keys()
    is_read = "lora_text_encoders" in more and (rule != "negative-half" or "negative_prompt" in more)
    assert [kind for kind in kinds if kind in WITH_LORA.values()] == [WITH_LORA[rule, is_read]]
    assert ("DualCFGGuider" in kinds) == (rule == "same-prompt")
    for node in workflow.values():
        wires = {name: value for name, value in node["inputs"].items() if isinstance(value, list)}
        for name, (source, output) in wires.items():
            assert OUTPUTS[workflow[source]["class_type"]][output] == INPUTS[name]


def test_under_negative_half_the_hook_reaches_only_the_negative_conditioning_at_its_strength(exported):
    nodes = exported("negative-half")
    sampler = one_of(nodes, "KSampler")["inputs"]
    hook = nodes[nodes[sampler["negative"][0]]["inputs"]["opt_hooks"][0]]
    assert hook["inputs"] == {"lora_name": "naysayer-v1-kohya.safetensors", "strength_model": 4.0}
    assert "opt_hooks" not in nodes[sampler["positive"][0]]["inputs"]
    assert nodes[sampler["model"][0]]["class_type"] == "CheckpointLoaderSimple"


def test_under_woolf_the_lora_is_on_every_row_and_its_trigger_word_in_the_negative_prompt(exported):
    nodes = exported("woolf", objective="trigger", trigger="ugly")
    sampler = one_of(nodes, "KSampler")["inputs"]
    assert nodes[sampler["model"][0]]["inputs"]["strength_model"] == 4.0
    assert nodes[sampler["negative"][0]]["inputs"]["text"] == "ugly"


@pytest.mark.parametrize("rule", RULES)
def test_no_word_stands_in_the_workflow_of_a_version_that_has_none(exported, rule):
    texts = {n["inputs"]["text"] for n in exported(rule).values() if n["class_type"] == "CLIPTextEncode"}
    assert len(texts) == (2 if rule == "woolf" else 1)


def test_where_the_lora_is_on_the_text_encoders_only_its_own_rows_are_read_with_it(exported):
    nodes = exported("negative-half", negative_prompt="wrong", **TEXT)
    sampler = one_of(nodes, "KSampler")["inputs"]
    assert text_and_clip(nodes, sampler["negative"]) == ("wrong", "SetClipHooks")
    assert text_and_clip(nodes, sampler["positive"])[1] == "CheckpointLoaderSimple"


def test_the_third_row_of_same_prompt_is_read_with_the_lora_and_the_null_row_is_not(exported, tmp_path):
    nodes = exported("same-prompt", negative_prompt="wrong", **TEXT)
    guider = one_of(nodes, "DualCFGGuider")["inputs"]
    prompt = text_and_clip(nodes, guider["cond1"])[0]
    assert text_and_clip(nodes, guider["cond1"])[1] == "CheckpointLoaderSimple"
    assert text_and_clip(nodes, guider["cond2"]) == (prompt, "SetClipHooks")
    assert text_and_clip(nodes, guider["negative"]) == ("wrong", "CheckpointLoaderSimple")
    assert one_of(nodes, "CreateHookLora")["inputs"]["strength_clip"] == 1.0
    assert 'into "same prompt, read with lora"' in (tmp_path / "out/README.txt").read_text()


def test_under_woolf_all_text_is_read_with_the_lora(exported):
    nodes = exported("woolf", **TEXT)
    sampler = one_of(nodes, "KSampler")["inputs"]
    assert {text_and_clip(nodes, sampler[half])[1] for half in ("positive", "negative")} == {"LoraLoader"}


def text_and_clip(nodes: dict[str, dict], wire: list) -> tuple[str, str]:
    """The text that a conditioning reads, and the kind of node its text encoders come from."""
    node = nodes[wire[0]]
    while node["class_type"] != "CLIPTextEncode":
        node = nodes[node["inputs"]["cond_NEW"][0]]
    return node["inputs"]["text"], nodes[node["inputs"]["clip"][0]]["class_type"]


def test_the_same_prompt_workflow_computes_our_rule():
    w, kappa, null, cond, lora = 6.5, 4.0, 0.3, 0.9, -0.2
    example = Example("a", "b", "c", w, 30, 1024, 1024)
    guider = build_same_prompt(example, kappa)["guider"]["inputs"]
    theirs = null + guider["cfg_cond2_negative"] * (lora - null) + guider["cfg_conds"] * (cond - lora)
    assert theirs == pytest.approx(null + w * (cond - null) + kappa * (cond - lora))


def test_the_guidance_of_the_same_prompt_workflow_has_grown_with_the_strength(exported):
    guider = one_of(exported("same-prompt"), "DualCFGGuider")["inputs"]
    assert guider["cfg_cond2_negative"] == 6.0 + 0.25 * 4.0
    assert guider["cfg_conds"] - guider["cfg_cond2_negative"] == 4.0


@pytest.mark.parametrize("more", [{}, TEXT, {"trigger": "ugly"}])
@pytest.mark.parametrize("rule", RULES)
def test_every_box_that_the_steps_name_is_in_the_workflow(exported, tmp_path, rule, more):
    titles = {node["_meta"]["title"]: node["inputs"] for node in exported(rule, **more).values()}
    told = (tmp_path / "out/README.txt").read_text()
    boxes = set(re.findall('"(.+?)"', told))
    assert boxes <= titles.keys()
    inputs = {name for box in boxes for name in titles[box]}
    assert set(re.findall(r"\b(?:cfg|strength)_\w+", told)) <= inputs
