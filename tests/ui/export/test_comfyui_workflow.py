import json
from pathlib import Path

import pytest

from store.engine import writing
from store.settings import Settings
from store.tables import Version
from ui.export.comfyui_workflow import Example, build_same_prompt
from ui.export.export import Format, export_lora

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


def workflows_of(published: Settings, folder: Path) -> dict[str, dict]:
    export_lora(published, 1, Format.comfyui, folder)
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}


def one_of(workflow: dict[str, dict], kind: str) -> dict:
    (found,) = [node for node in workflow.values() if node["class_type"] == kind]
    return found


@pytest.fixture
def with_text(published, engine) -> Settings:
    """The same with a LoRA that is on the text encoders too, and its own negative prompt."""
    with writing(engine) as session:
        version = session.get_one(Version, 1)
        version.settings = version.settings | {"lora_text_encoders": True, "negative_prompt": "wrong"}
        session.add(version)
    return published


@pytest.mark.parametrize("store", ["published", "with_text"])
def test_every_wire_of_a_workflow_joins_an_output_and_an_input_of_one_kind(store, request, tmp_path):
    made = workflows_of(request.getfixturevalue(store), tmp_path)
    assert len(made) == 3
    for workflow in made.values():
        for node in workflow.values():
            wires = {name: value for name, value in node["inputs"].items() if isinstance(value, list)}
            for name, (source, output) in wires.items():
                assert OUTPUTS[workflow[source]["class_type"]][output] == INPUTS[name]


def test_in_the_negative_half_workflow_the_hook_reaches_the_negative_conditioning_alone(published, tmp_path):
    nodes = workflows_of(published, tmp_path)["workflow-negative-half.json"]
    sampler = one_of(nodes, "KSampler")["inputs"]
    hook = nodes[nodes[sampler["negative"][0]]["inputs"]["opt_hooks"][0]]
    assert hook["inputs"]["lora_name"] == "naysayer-v1-kohya.safetensors"
    assert "opt_hooks" not in nodes[sampler["positive"][0]]["inputs"]
    assert nodes[sampler["model"][0]]["class_type"] == "CheckpointLoaderSimple"


def test_where_the_lora_is_on_the_text_encoders_its_own_rows_alone_are_read_with_it(with_text, tmp_path):
    made = workflows_of(with_text, tmp_path)
    negative = made["workflow-negative-half.json"]
    sampler = one_of(negative, "KSampler")["inputs"]
    assert text_and_clip(negative, sampler["negative"]) == ("wrong", "SetClipHooks")
    assert text_and_clip(negative, sampler["positive"])[1] == "CheckpointLoaderSimple"
    same = made["workflow-same-prompt.json"]
    guider = one_of(same, "DualCFGGuider")["inputs"]
    prompt = text_and_clip(same, guider["cond1"])[0]
    assert text_and_clip(same, guider["cond1"])[1] == "CheckpointLoaderSimple"
    assert text_and_clip(same, guider["cond2"]) == (prompt, "SetClipHooks")
    assert one_of(same, "CreateHookLora")["inputs"]["strength_clip"] == 1.0
    both = made["workflow-trigger-word.json"]
    sampler = one_of(both, "KSampler")["inputs"]
    assert {text_and_clip(both, sampler[half])[1] for half in ("positive", "negative")} == {"LoraLoader"}
    assert "both text encoders" in (tmp_path / "README.md").read_text()


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


def test_the_guidance_of_the_same_prompt_workflow_has_grown_with_the_strength(published, tmp_path):
    nodes = workflows_of(published, tmp_path)["workflow-same-prompt.json"]
    assert one_of(nodes, "DualCFGGuider")["inputs"]["cfg_cond2_negative"] == 6.0 + 0.25 * 4.0
