"""What each real picture says, read from its raw metadata by a person, not by the reader."""

from typing import NamedTuple

MIKU = "general, masterpiece, best quality, amazing quality, \n1girl, solo, hatsune miku,"
PLAIN, TESUTO, HASHED = MIKU, f"{MIKU} テスト", f"{MIKU} #テスト"
BAD = "bad quality, worst quality, worst detail, sketch, censor,"
SUNSET = "evening sunset scenery blue sky nature, glass bottle with a galaxy in it"
WAI = "waiIllustriousSDXL_v160"


class Expected(NamedTuple):
    """A picture's status, tool, prompt (its beginning, where it ends in …), negative prompt (as well), seed, steps,
    guidance, base, model and marks."""

    status: str
    tool: str = ""
    prompt: str | None = None
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    base: str = "unknown"
    model: str = ""
    marks: str = ""


EMPTY = Expected("empty")


def of_miku(tool: str, prompt: str, seed: int, guidance: float, steps: int = 20, base: str = "unknown") -> Expected:
    """Most of sd-metadata's samples: one prompt, one checkpoint."""
    return Expected("ok", tool, prompt, BAD, seed, steps, guidance, base, WAI)


EXPECTED = {
    "comfyui_examples/lcm_basic_example.png": Expected(
        "ok", "ComfyUI", SUNSET, "text, watermark", 167055194337639, 5, 1.8, "sdxl", "sd_xl_1.0", "distilled"
    ),
    "comfyui_examples/lora_multiple.png": Expected(
        "not SDXL", "ComfyUI", "masterpiece best quality girl", "bad hands", 513173432917412, 20, 8.0, "sd1",
        "v1-5-pruned-emaonly", "resized",
    ),
    "comfyui_examples/sdxl_simple_example.png": Expected(
        "ok", "ComfyUI", SUNSET, "text, watermark", 721897303308196, 25, 8.0, "sdxl", "sd_xl_base_1.0", "refined"
    ),
    "comfyui_examples/sdxlturbo_example.png": Expected(
        "ok", "ComfyUI",
        "beautiful landscape scenery glass bottle with a galaxy inside cute fennec fox snow HDR sunset",
        "text, watermark", 0, 1, 1.0, "sdxl", "sd_xl_turbo_1.0_fp16", "distilled",
    ),
    "rpg/Pose_girl.png": Expected(
        "ok", "A1111", "A beautiful girl standing in her bright room BREAK\nA delicate blue vases…",
        "", 2578620168, 20, 7.0, "unknown", "albedobaseXL_v13", "controlled regional",
    ),
    "rpg/couple.png": Expected(
        "ok", "A1111", "A couple ,best quality, HD, 4K, delicate, Photorealistic, Filmic, Closeup-View BREAK…",
        "", 1632819942, 20, 7.0, "unknown", "dreamshaperXL_turboDpmppSDE", "distilled regional",
    ),
    "rpg/cowboy.png": Expected(
        "ok", "A1111", "a full body shot of a cowboy girl wearing an apple printed shirt BREAK…",
        "", 1828244054, 20, 7.5, "unknown", "albedobaseXL_v13", "regional",
    ),
    "rpg/tea.png": Expected(
        "ok", "A1111", "Two beautiful Chinese girls wearing cheongsam are drinking tea in the tea room…",
        "", 2201662058, 30, 9.5, "unknown", "dynavisionXLAllInOneStylized_release0557Bakedvae", "regional",
    ),
    "rpg/watermelon.png": Expected(
        "ok", "A1111", "Five watermelons arranged in X shape on a wooden table,Top down view BREAK…",
        "", 80623912, 30, 8.0, "unknown", "dynavisionXLAllInOneStylized_release0557Bakedvae", "regional",
    ),
    "sd-metadata/jpg/civitai-hires.jpg": Expected(
        "ok", "Civitai", HASHED, BAD, 1311178179, 25, 5.0, "sdxl",
        "urn:air:sdxl:checkpoint:civitai:827184@2514310", "img2img upscaled",
    ),
    "sd-metadata/jpg/civitai.jpeg": Expected(
        "ok", "Civitai", HASHED, BAD, 1311178179, 25, 5.0, "unknown", "WAI-illustrious-SDXL"
    ),
    "sd-metadata/jpg/comfyui-saveimage-plus.jpg": of_miku("ComfyUI", PLAIN, 577723948579568, 5.0),
    "sd-metadata/jpg/comfyui-saveimagewithmetadata.jpeg": of_miku("A1111", PLAIN, 347382230306562, 5.0),
    "sd-metadata/jpg/forge-classic.jpeg": of_miku("Forge Classic", TESUTO, 2547514258, 6.0),
    "sd-metadata/jpg/gimp.jpg": EMPTY,
    "sd-metadata/jpg/reforge-hires.jpeg": of_miku("reForge", TESUTO, 3494396176, 6.0)._replace(marks="upscaled"),
    "sd-metadata/jpg/reforge.jpeg": of_miku("reForge", TESUTO, 584157617, 6.0),
    "sd-metadata/jpg/sd-next-hires.jpg": of_miku("SD.Next", HASHED, 3970581939, 6.0, base="sdxl")._replace(
        marks="upscaled"
    ),
    "sd-metadata/jpg/sd-next.jpg": of_miku("SD.Next", HASHED, 899700607, 6.0, base="sdxl"),
    "sd-metadata/jpg/sd-webui.jpg": of_miku("A1111", TESUTO, 3623174757, 5.5),
    "sd-metadata/jpg/swarmui.jpg": of_miku("SwarmUI", HASHED, 697543491, 7.0),
    "sd-metadata/png/comfyui-comfy-image-saver.png": of_miku("ComfyUI", PLAIN, 106744160813738, 5.0),
    "sd-metadata/png/comfyui.png": of_miku("ComfyUI", f"{TESUTO},", 422847914351919, 5.0),
    "sd-metadata/png/forge-classic.png": of_miku("Forge Classic", TESUTO, 1239240392, 6.0),
    "sd-metadata/png/forge-neo.png": of_miku(
        "Forge Neo", TESUTO.replace(", \n", ",\n"), 4179307297, 6.0, steps=24
    ),
    "sd-metadata/png/forge.png": of_miku("Forge", TESUTO, 747066619, 5.0, steps=25),
    "sd-metadata/png/invokeai.png": of_miku("InvokeAI", HASHED, 3951921344, 6.0, steps=24, base="sdxl"),
    "sd-metadata/png/ruined-fooocus.png": of_miku("RuinedFooocus", HASHED, 2020047614, 8.0, steps=30)._replace(
        model="waiNSFWIllustrious_v150"
    ),
    "sd-metadata/png/sd-next-en.png": of_miku("SD.Next", PLAIN, 2251068289, 6.0, base="sdxl"),
    "sd-metadata/png/sd-next.png": of_miku("SD.Next", HASHED, 2427651458, 6.0, base="sdxl"),
    "sd-metadata/png/sd-webui.png": of_miku("A1111", TESUTO, 3782896554, 7.0),
    "sd-metadata/png/swarmui.png": of_miku("SwarmUI", HASHED, 2083100758, 7.0),
    "sd-metadata/png/tensorart.png": of_miku("TensorArt", HASHED, 3036459311, 7.0, steps=25, base="sdxl")._replace(
        model="WAI-Nsfw-Illustrious-16"
    ),
    "sd-metadata/webp/comfyui-animated-webp.webp": of_miku("ComfyUI", f"{TESUTO},", 270932924124066, 5.0),
    "sd-metadata/webp/comfyui-comfy-image-saver.webp": Expected(
        "unrecognised", "ComfyUI", None, "", None, 20, 8.0, "unknown", "JANKUV5NSFWTrainedNoobai_v50"
    ),
    "sd-metadata/webp/comfyui-saveimagewithmetadata.webp": of_miku("A1111", PLAIN, 827555711811618, 5.0),
    "sd-metadata/webp/empty.webp": EMPTY,
    "sd-metadata/webp/forge-classic.webp": of_miku("Forge Classic", TESUTO, 2630661657, 6.0),
    "sd-metadata/webp/novelai-curated.webp": Expected(
        "not SDXL", "NovelAI",
        "1girl, solo, hatsune miku, #テスト, very aesthetic, masterpiece, no text, -0.8::feet::, rating:general",
        "blurry, lowres, upscaled, artistic error, scan artifacts, jpeg artifacts, logo, too many watermarks, "
        "negative space, blank page",
        880673757, 23, 5.0, "novelai", "NovelAI Diffusion V4.5 C02D4F98",
    ),
    "sd-metadata/webp/novelai-full-3char.webp": Expected(
        "not SDXL", "NovelAI",
        "2girls, 1boy, dancing, #テスト\nwhite background, , very aesthetic, masterpiece, no text",
        "nsfw, lowres, artistic error, film grain,…",
        447042893, 28, 5.0, "novelai", "NovelAI Diffusion V4.5 4BDE2A90", "regional",
    ),
    "sd-metadata/webp/reforge-hires.webp": of_miku("reForge", TESUTO, 1010990389, 6.0)._replace(marks="upscaled"),
    "sd-metadata/webp/sd-next-hires.webp": of_miku("SD.Next", HASHED, 1755251313, 6.0, base="sdxl")._replace(
        marks="upscaled"
    ),
    "sd-metadata/webp/sd-next.webp": of_miku("SD.Next", HASHED, 3014033436, 6.0, base="sdxl"),
    "sd-metadata/webp/sd-webui.webp": of_miku("A1111", TESUTO, 1028435836, 5.5),
    "sd-metadata/webp/swarmui.webp": of_miku("SwarmUI", HASHED, 830680752, 7.0),
    "sd-parsers/bad_images/empty_file.png": Expected("broken"),
    "sd-parsers/bad_images/empty_image.jpg": EMPTY,
    "sd-parsers/bad_images/empty_image.png": EMPTY,
    "sd-parsers/bad_images/text_after_idat.png": Expected(
        "ok", "A1111", "photo of a duck", "monochrome", 235284042, 15, 5.0, "unknown",
        "realistic_realisticVisionV20_v20", "resized",
    ),
    "sd-parsers/parsers/AUTOMATIC1111/automatic1111_stealth.png": Expected(
        "ok", "A1111", "a circle", "a square", 2015833630, 20, 7.0, "unknown", "realisticVisionV51_v51VAE"
    ),
    "sd-parsers/parsers/ComfyUI/img2img_cropped.png": Expected(
        "not SDXL", "ComfyUI", "photograph of victorian woman with wings, sky clouds, meadow grass", "watermark, text",
        280823642470253, 20, 8.0, "sd1", "v1-5-pruned-emaonly", "img2img",
    ),
    # Five prompts for parts of one picture and one for the whole of it, and two savers.
    "sd-parsers/parsers/ComfyUI/noisy_latents_3_subjects_cropped.png": Expected(
        "unrecognised", "ComfyUI", model="Anything-V3.0", marks="regional upscaled", steps=16, guidance=7.0
    ),
    # Two savers, of a picture and of another drawn from it with another model; the pixels were cut away.
    "sd-parsers/parsers/ComfyUI/unclip_2pass_cropped.png": Expected("unrecognised", "ComfyUI"),
    "sd-parsers/parsers/InvokeAI/invokeai_imeta1.png": Expected(
        "ok", "InvokeAI", "digital artwork, oil painting. painterly brushstrokes, holidays,",
        "grainy+, photo, oversaturated, overexposed, blurry, compressed jpg+, noisy++, unfocused , black and white",
        3293022630, 35, 8.0, "sdxl", "juggernautXL", "controlled resized",
    ),
    **{
        f"woolf_sdxl_wrong/{name}.webp": EMPTY
        for name in (
            "bad_prompts", "example1", "example2", "example3", "example4", "example5", "hamburger", "pres_swift",
            "sdxl_examples", "ugly_sonic_lora", "uncanny_valley", "wolf1", "wolf2", "wsj",
        )
    },
}  # fmt: skip
