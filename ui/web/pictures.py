"""Pictures at signed addresses: nobody can ask for a picture that no page has shown, and no address says what it is."""

import logging

from sqlalchemy import Engine
from starlette.responses import JSONResponse, Response

from feedback.pool.damage import is_lasting, set_aside
from feedback.rate.display import PNG, shown_bytes
from feedback.rate.votes import sha256_of_number
from store.errors import DamagedStore, NoBucket
from store.layout import layout_of
from store.settings import Settings
from ui.web import process
from ui.web.signing import is_signed, signature

log = logging.getLogger(__name__)

SHA256_DIGITS = 64
IMAGES = "/naysayer/image/"
KINDS = ((PNG, "image/png"), (b"RIFF", "image/webp"))


def image_url(sha256: str) -> str:
    """The address of a picture for the pages of this process."""
    return image_path(process.settings(), sha256)


def image_path(settings: Settings, sha256: str) -> str:
    """The address of a picture: always the same, so that browsers keep it."""
    return settings.below(f"{IMAGES}{sha256}-{signature(settings, f'image {sha256}')}")


def rater_path(settings: Settings, number: int) -> str:
    """The address of a picture for raters. A repeat has another number, so it is not in the browser's cache."""
    return settings.below(f"{IMAGES}{number}-{signature(settings, f'image {number}')}")


def send_image(engine: Engine, settings: Settings, name: str) -> Response:
    """The picture at an address, given its last part; 404 for anything else, latents in the same folder included.

    A picture whose file is lost or altered is set aside, so that nobody gets it again.
    """
    known, _, claimed = name.partition("-")
    layout, data = layout_of(settings), b""
    if is_signed(settings, f"image {known}", claimed):
        sha256 = known if len(known) == SHA256_DIGITS else sha256_of_number(engine, int(known))
        try:
            data = shown_bytes(layout, sha256)
        except (ValueError, OSError):
            data = b""
        except NoBucket as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        except DamagedStore as error:
            if not layout.blobs.is_there() or not is_lasting(error):
                return JSONResponse({"error": str(error)}, status_code=503)
            log.warning("%s; its pictures are shown to nobody", error)
            set_aside(engine, sha256)
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
