"""What other programs' own loaders call SDXL's modules, recorded from their code in `loader_names.json`.

`python -m tests.trainer.lora.loaders FORGE INVOKEAI` records again from two checkouts:
lllyasviel/stable-diffusion-webui-forge, which carries ComfyUI's loader (`packages_3rdparty/comfyui_lora_collection`),
and invoke-ai/InvokeAI. Their code is run here and not part of this repository.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

RECORD = Path(__file__).with_name("loader_names.json")
SDXL = {
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
}
"""As ComfyUI and Forge describe SDXL's UNet to themselves."""
TEXT_LAYERS = {"clip_l": 12, "clip_g": 32}


def comfyui_names(forge: Path) -> dict[str, str]:
    """From each module that a kohya file may name to ComfyUI's own, UNet and both text encoders."""
    sys.path.insert(0, str(forge))
    from packages_3rdparty.comfyui_lora_collection import lora  # type: ignore[import-not-found]

    about = SimpleNamespace(huggingface_repo="stabilityai/stable-diffusion-xl-base-1.0")
    unet = SimpleNamespace(state_dict=dict, config=about, diffusion_model=SimpleNamespace(config=SDXL))
    weights = [
        f"{clip}.transformer.text_model.encoder.layers.{layer}.{part}.weight"
        for clip, layers in TEXT_LAYERS.items()
        for layer in range(layers)
        for part in lora.LORA_CLIP_MAP
    ]
    found = dict(lora.model_lora_keys_unet(unet, {})[1])
    found |= lora.model_lora_keys_clip(SimpleNamespace(state_dict=lambda: dict.fromkeys(weights)), {})[1]
    kohya = ("lora_unet_", "lora_te1_", "lora_te2_")
    return {name: found[name].removesuffix(".weight") for name in sorted(found) if name.startswith(kohya)}


def invokeai_blocks(invokeai: Path) -> dict[str, str]:
    """From the original checkpoint's blocks to diffusers': a file may use either side, and none may use both."""
    return dict(sorted(_converter(invokeai).SDXL_UNET_STABILITY_TO_DIFFUSERS_MAP.items()))


def _converter(invokeai: Path) -> ModuleType:
    path = invokeai / "invokeai/backend/patches/lora_conversions/sdxl_lora_conversion_utils.py"
    spec = importlib.util.spec_from_file_location("sdxl_lora_conversion_utils", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded() -> dict[str, dict[str, str]]:
    """`comfyui` and `invokeai`, as the functions above gave them."""
    names: dict[str, dict[str, str]] = json.loads(RECORD.read_text())
    return names


if __name__ == "__main__":
    forge, invokeai = map(Path, sys.argv[1:])
    found = {"comfyui": comfyui_names(forge), "invokeai": invokeai_blocks(invokeai)}
    RECORD.write_text(json.dumps(found, indent=0) + "\n")
