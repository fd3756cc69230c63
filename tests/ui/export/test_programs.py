import pytest

from ui.export.programs import how_in_comfyui, other_guides

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"


def works(version) -> dict[str, bool]:
    return {guide.program: guide.works for guide in other_guides(version)}


def test_without_a_trigger_word_programs_with_one_lora_for_both_halves_get_a_reason_and_no_file(as_if):
    version = as_if(base_model=SDXL)
    assert works(version) == {"A1111, Forge, InvokeAI": False, "diffusers": True}
    assert "both halves" in other_guides(version)[0].how


@pytest.mark.parametrize(
    ("columns", "more", "prompt", "word"),
    [
        ({"rule": "woolf", "strength": 1.5}, {"trigger": "ugly"}, "<lora:naysayer-v1-kohya:1.5>", "ugly"),
        ({"rule": "negative-half"}, {"objective": "trigger", "trigger": "ugly"}, "<lora:naysayer-v1-kohya:1>", "ugly"),
        ({"rule": "negative-half"}, {"negative_prompt": "bad"}, "<lora:naysayer-v1-kohya:1>", "bad"),
    ],
)
def test_with_a_trigger_word_it_works_everywhere_at_a_strength_that_is_named(as_if, columns, more, prompt, word):
    version = as_if(more, base_model=SDXL, **columns)
    assert works(version) == {"A1111 and Forge": True, "InvokeAI": True, "diffusers": True}
    a1111, invokeai, _ = other_guides(version)
    assert prompt in a1111.code
    assert all(guide.code.endswith(f"negative prompt: {word}") for guide in (a1111, invokeai))


def test_a_version_of_the_built_in_model_says_that_it_fits_nothing_else(as_if):
    version = as_if()
    assert works(version) == {"A1111, Forge, InvokeAI": False, "diffusers": True}
    assert "cannot load the built-in model" in other_guides(version)[0].how
    assert "fits only that" in how_in_comfyui(version)
    assert "fits only that" not in how_in_comfyui(as_if(base_model=SDXL))


def test_the_code_for_diffusers_steers_by_the_versions_own_rule_and_guidance(as_if):
    code = other_guides(as_if(base_model=SDXL))[-1].code
    assert 'steered(pipe.unet, "negative", "same-prompt", 4)' in code
    assert "guidance_scale=6.0 + 1)" in code
    compile(code, "example", "exec")
