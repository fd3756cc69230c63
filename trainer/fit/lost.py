"""Which pictures of a training set have lost their files."""

from collections.abc import Sequence

from tqdm import tqdm

from feedback.pool.pool import PoolItem
from store.errors import DamagedStore
from store.files import Blobs

MANY = 2000
"""From so many pictures on, looking at them takes seconds and shows a bar."""


def find_lost(blobs: Blobs, items: Sequence[PoolItem]) -> frozenset[int]:
    """The numbers of the pictures that have neither their latent nor the picture itself to encode it from."""
    blobs.prepare([item.latent_sha256 or item.sha256 for item in items])
    shown = tqdm(items, desc="looking at the pictures", disable=len(items) < MANY)
    return frozenset(item.image_id for item in shown if not (has_latent(blobs, item) or _has(blobs, item.sha256)))


def has_latent(blobs: Blobs, item: PoolItem) -> bool:
    """Whether the sampler's own latent is there, unchanged."""
    return item.latent_sha256 is not None and _has(blobs, item.latent_sha256)


def _has(blobs: Blobs, sha256: str) -> bool:
    try:
        blobs.get(sha256)
    except DamagedStore:
        return False
    return True


def name_lost(lost: frozenset[int], most: int = 20) -> str:
    """A clause that names the pictures that are left out.

    >>> name_lost(frozenset({3}))
    'picture 3 is left out, because its files are lost'
    >>> name_lost(frozenset({3, 5, 9}), most=2)
    'pictures 3, 5 and 1 more are left out, because their files are lost'
    """
    if len(lost) == 1:
        return f"picture {min(lost)} is left out, because its files are lost"
    named = ", ".join(str(number) for number in sorted(lost)[:most])
    more = f" and {len(lost) - most} more" if len(lost) > most else ""
    return f"pictures {named}{more} are left out, because their files are lost"
