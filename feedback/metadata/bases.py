"""Which base model: what a program declares, an official file's name, or what the user said of a name or hash.

Every other name tells nothing for sure: a checkpoint called "…XL…" is most often an SDXL, and not always.
"""

import re
from collections.abc import Mapping

from feedback.metadata.found import SDXL, UNKNOWN

DECLARED = (
    (r"sdxl.*|ponyv6.*|pony|illustrious.*|noobai.*|noob|ilxl|stablediffusionxl.*|xl", SDXL),
    (r"(sd|stablediffusion|v)1(\.?[45x].*)?|sd1(lcm|hyper)?", "sd1"),
    (r"(sd|stablediffusion|v)2.*", "sd2"),
    (r"(sd|stablediffusion)3.*", "sd3"),
    (r"flux.*", "flux"),
    (r"|unknown|any|other|others|none|main", UNKNOWN),
)
OFFICIAL = (
    (r"sd_?xl_(base|refiner|turbo|offset|lightning|[01]\.\d).*|stable-diffusion-xl.*|(.*/)?sdxl-turbo.*", SDXL),
    (r"v1-5-pruned.*|sd-v1-[1-5].*|stable-diffusion-v1.*|sd15-.*emaonly.*", "sd1"),
    (r"(512|768)-.*ema.*|v2-1_.*|stable-diffusion-2.*|sd_turbo.*|sd-turbo.*|wd-1-5-.*", "sd2"),
    (r"sd3(\.5)?_(medium|large).*|stable-diffusion-3.*", "sd3"),
    (r"flux[._-]?1?[._-](dev|schnell|kontext|krea).*", "flux"),
)
AIR = re.compile(r"urn:air:([a-z0-9]+):(?:checkpoint|model)\b", re.I)
BASE_NAMES = (SDXL, "sd1", "sd2", "sd3", "flux", "other")
"""What a user can say that a model is."""


def declared_base(word: object) -> str:
    """The base that a program's word means; for what is no Stable Diffusion or Flux, that word.

    >>> declared_base("Illustrious"), declared_base("SD 1.5"), declared_base("sdxl-refiner"), declared_base("Qwen")
    ('sdxl', 'sd1', 'sdxl', 'qwen')
    """
    bare = re.sub(r"[\s_-]", "", str(word or "")).lower()
    return next((base for pattern, base in DECLARED if re.fullmatch(pattern, bare)), bare[:40])


def pipeline_base(name: str) -> str:
    """The base for a class of diffusers' pipelines; Stable Diffusion 1 and 2 have the same.

    >>> pipeline_base("StableDiffusionXLImg2ImgPipeline"), pipeline_base("StableDiffusionPipeline")
    ('sdxl', 'sd1')
    """
    if "StableDiffusionXL" in name:
        return SDXL
    kind = re.sub("(Img2Img|Inpaint|ControlNet)?Pipeline.*", "", name)
    return declared_base("sd1" if kind == "StableDiffusion" else kind)


def base_of_model(model: str, model_hash: str, known: Mapping[str, str]) -> str:
    """The base for a model's name or hash: as the user said (`known`, by `model_key`), or an official file's.

    >>> base_of_model("sd_xl_base_1.0", "", {}), base_of_model("juggernautXL", "", {})
    ('sdxl', 'unknown')
    """
    for key in (model_hash, model):
        if key and model_key(key) in known:
            return known[model_key(key)]
    if air := AIR.match(model):
        return declared_base(air[1])
    name = model.lower()
    return next((base for pattern, base in OFFICIAL if re.fullmatch(pattern, name)), UNKNOWN)


def model_key(word: str) -> str:
    """What two ways to write a model's name or hash have in common: a SHA-256 is known by its first ten digits.

    >>> model_key("0x45A21EA00A" + "0" * 54), model_key(" Juggernaut XL ")
    ('45a21ea00a', 'juggernaut xl')
    """
    bare = word.strip().lower().removeprefix("0x")
    return bare[:10] if re.fullmatch(r"[0-9a-f]{10,64}", bare) else bare
