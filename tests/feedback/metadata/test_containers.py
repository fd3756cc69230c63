"""One text, in every place and encoding in which programs keep it."""

import json

import pytest

from feedback.metadata.found import RawText, Status
from feedback.metadata.read import read_bytes, read_picture
from tests.feedback.metadata import made

PROMPT, NEGATIVE = "a fox – 狐, snow", "blurry, 低品質"
INFOTEXT = f"{PROMPT}\nNegative prompt: {NEGATIVE}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x64"
LATIN = INFOTEXT.replace(" – 狐", "é").replace(", 低品質", "")
ANY_ORDER = [(order, codec) for order in "<>" for codec in ("utf-16-le", "utf-16-be")]
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">{}</rdf:Description></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
)
IN_XMP = XMP.format(
    f'<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{INFOTEXT}</rdf:li></rdf:Alt></exif:UserComment>'
)
IN_ATTRIBUTE = XMP.replace('rdf:about=""', f'rdf:about="" exif:UserComment="{INFOTEXT}"'.replace("\n", "&#10;")).format(
    ""
)
WEBP, JPEG, PNG = "a.webp", "a.jpg", "a.png"

PLACES = {
    "PNG tEXt in UTF-8": (PNG, made.png(made.text("parameters", INFOTEXT))),
    "PNG iTXt": (PNG, made.png(made.international("parameters", INFOTEXT))),
    "PNG packed iTXt": (PNG, made.png(made.international("parameters", INFOTEXT, is_packed=True))),
    "PNG zTXt": (PNG, made.png(made.packed("parameters", INFOTEXT))),
    "PNG behind the pixels": (PNG, made.png(made.packed("parameters", INFOTEXT), is_after=True)),
    "PNG after other texts": (PNG, made.png(made.text("Software", "x"), made.text("parameters", INFOTEXT))),
    "PNG eXIf": (PNG, made.png(made.chunk(b"eXIf", made.comment(INFOTEXT)))),
    "PNG raw profile": (
        PNG,
        made.png(
            made.packed("Raw profile type exif", f"\nexif\n {9}\n{(b'Exif' + bytes(2) + made.comment(INFOTEXT)).hex()}")
        ),
    ),
    "PNG XMP": (PNG, made.png(made.international("XML:com.adobe.xmp", IN_XMP))),
    "JPEG XMP": (JPEG, made.jpeg(b"", (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + IN_XMP.encode()))),
    "JPEG XMP attribute": (JPEG, made.jpeg(b"", (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + IN_ATTRIBUTE.encode()))),
    "JPEG comment": (JPEG, made.jpeg(b"", (0xFE, INFOTEXT.encode()))),
    "JPEG comment in the first directory": (JPEG, made.jpeg(made.comment(INFOTEXT, in_sub=False))),
    "JPEG description": (JPEG, made.jpeg(made.exif((0x010E, INFOTEXT.encode() + b"\0", 2), in_sub=False))),
    "JPEG XPComment": (JPEG, made.jpeg(made.exif((0x9C9C, INFOTEXT.encode("utf-16-le") + bytes(2), 1), in_sub=False))),
    "WebP XMP": (WEBP, made.webp(xmp=IN_XMP.encode())),
    "alpha": (PNG, made.stealth(INFOTEXT)),
    "alpha, not packed": (PNG, made.stealth(INFOTEXT, is_packed=False)),
    "RGB bits": (PNG, made.stealth(INFOTEXT, in_alpha=False)),
    "RGB bits, not packed": (PNG, made.stealth(INFOTEXT, in_alpha=False, is_packed=False)),
    **{
        f"{kind} comment in {codec} in a file of order {order}": (name, write(made.comment(INFOTEXT, order, codec)))
        for order, codec in ANY_ORDER
        for kind, name, write in (("JPEG", JPEG, made.jpeg), ("WebP", WEBP, made.webp))
    },
    "UTF-16 with a mark": (JPEG, made.jpeg(made.comment(INFOTEXT, codec="utf-16"))),
    "UTF-8 called UNICODE": (JPEG, made.jpeg(made.comment(INFOTEXT, codec="utf-8"))),
    "UTF-8 called ASCII": (JPEG, made.jpeg(made.comment(INFOTEXT, codec="utf-8", head=b"ASCII\0\0\0"))),
    "UTF-8 called nothing": (JPEG, made.jpeg(made.comment(INFOTEXT, codec="utf-8", head=bytes(8)))),
    "UTF-8 without a name": (JPEG, made.jpeg(made.comment(INFOTEXT, codec="utf-8", head=b""))),
    "UTF-16 called nothing": (JPEG, made.jpeg(made.comment(INFOTEXT, codec="utf-16-be", head=bytes(8)))),
    "comment called Unicode": (JPEG, made.jpeg(made.comment(INFOTEXT, head=b"Unicode\0"))),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_text_is_read_wherever_it_stands(place):
    name, data = PLACES[place]
    found, picture = read_bytes(data, name)
    size = (96, 80) if place.startswith(("alpha", "RGB")) else (64, 64)
    assert picture is not None
    assert picture.size == size == (found.width, found.height)
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, PROMPT, NEGATIVE, 42)


def test_latin_1_in_a_png_text_is_read():
    found, _ = read_bytes(made.png(made.text("parameters", LATIN, "latin-1")), "a.png")
    assert found.prompt == "a foxé, snow"


def test_a_comment_of_wide_letters_only_is_read_in_the_order_of_the_file():
    for order, codec in (("<", "utf-16-le"), (">", "utf-16-be")):
        found, _ = read_bytes(made.jpeg(made.comment("狐" * 40, order, codec)), "a.jpg")
        assert found.raw == (RawText("UserComment", "狐" * 40),)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("txt", INFOTEXT),
        ("json", json.dumps({"prompt": PROMPT, "negative_prompt": NEGATIVE, "seed": 42, "steps": 20})),
        ("swarm.json", json.dumps({"sui_image_params": {"prompt": PROMPT, "negativeprompt": NEGATIVE, "seed": 42}})),
    ],
)
@pytest.mark.parametrize("base", ["a", "a.png"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_beside_the_picture_is_read(ending, content, base, encoding, tmp_path):
    (tmp_path / "a.png").write_bytes(made.png())
    (tmp_path / f"{base}.{ending}").write_bytes(content.encode(encoding))
    found = read_picture(tmp_path / "a.png")
    assert (found.status, found.prompt, found.negative_prompt, found.seed) == (Status.ok, PROMPT, NEGATIVE, 42)


def test_a_caption_beside_the_picture_is_its_prompt_without_a_seed(tmp_path):
    (tmp_path / "a.png").write_bytes(made.png())
    (tmp_path / "a.txt").write_text("a fox\nin snow\n")
    found = read_picture(tmp_path / "a.png")
    assert (found.status, found.tool, found.prompt) == (Status.partial, "text file", "a fox in snow")
    assert "no seed" in found.why


def test_the_metadata_of_our_own_pictures_are_read():
    text = (
        "a red star\nNegative prompt: wrong\nSteps: 24, Sampler: Euler, CFG scale: 3, Seed: 7, Size: 64x64, "
        "Model hash: 1fee558303, Model: builtin, Naysayer version: v2, Naysayer try: 1 of 3, Version: Naysayer 0.1.0"
    )
    found, _ = read_bytes(
        made.png(made.text("parameters", text), made.text("naysayer", '{"prompt": "a red star"}')), PNG
    )
    assert (found.tool, found.prompt, found.seed, found.model) == ("Naysayer", "a red star", 7, "builtin")
