"""Pictures at signed addresses: nobody can ask for a picture that no page has shown, and no address says what it is."""

from starlette.responses import JSONResponse, Response

from feedback.rate.display import PNG, shown_bytes
from store.layout import layout_of
from store.settings import Settings
from ui.web import process
from ui.web.signing import is_signed, signature

IMAGES = "/naysayer/image/"
KINDS = ((PNG, "image/png"), (b"RIFF", "image/webp"))


def image_url(sha256: str) -> str:
    """The address of a picture for the pages of this process."""
    return image_path(process.settings(), sha256)


def image_path(settings: Settings, sha256: str) -> str:
    """The address of a picture: always the same, so that browsers keep it."""
    return f"{IMAGES}{sha256}-{signature(settings, f'image {sha256}')}"


def send_image(settings: Settings, name: str) -> Response:
    """The picture at an address, given its last part; 404 for anything else, latents in the same folder included."""
    sha256, _, claimed = name.partition("-")
    data = b""
    if is_signed(settings, f"image {sha256}", claimed):
        try:
            data = shown_bytes(layout_of(settings), sha256)
        except (ValueError, OSError):
            data = b""
    kind = next((kind for start, kind in KINDS if data.startswith(start)), None)
    if kind is None:
        return JSONResponse({"error": "no such picture"}, status_code=404)
    headers = {
        "cache-control": "private, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "same-origin",
    }
    return Response(data, media_type=kind, headers=headers)
