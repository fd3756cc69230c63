"""The hashes of weights that were read before, found again by the files' path, inode, size and times.

They are kept for this user, not in a store, because every store on the machine and `naysayer doctor` read the same
weights: in the folder that the hub's library gives programs for such files, which moves with HF_HOME.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from huggingface_hub import cached_assets_path
from tqdm import tqdm

from store.files import sha256_of, write_file
from trainer.base.hashing.tensors import Weights, size_of, weights_hash

TICK_NS = 2 * 10**9
"""Two changes so close may have the same time: no file system's clock is coarser (FAT)."""
SHOWN_AFTER_S = 2


def weights_hashes(wanted: Mapping[str, Weights], folder: Path | None = None) -> dict[str, str]:
    """The `weights_hash` of each, by its name, read only where it is not remembered; with a bar over two seconds.

    `folder` is where they are remembered; None: this user's.
    """
    folder = own_folder("hashes") if folder is None else folder
    found = {name: recall(folder, weights) for name, weights in wanted.items()}
    unread = {name: weights for name, weights in wanted.items() if found[name] is None}
    total = sum(size_of(weights) for weights in unread.values())
    with tqdm(total=total, desc="hashing the model", unit="B", unit_scale=True, delay=SHOWN_AFTER_S) as bar:
        read = {name: _read(folder, weights, bar) for name, weights in unread.items()}
    return {name: sha256 or read[name] for name, sha256 in found.items()}


def file_hash(path: Path, folder: Path | None = None) -> str:
    """SHA-256 of a file's bytes, read only where it is not remembered."""
    return weights_hashes({"file": Weights((path,), None)}, folder)["file"]


def recall(folder: Path | None, weights: Weights) -> str | None:
    """The hash that was remembered; None without one, or when its file is damaged."""
    if folder is None:
        return None
    with suppress(OSError, ValueError):
        seen = _seen(weights)
        line = json.loads((folder / _name(seen)).read_text(encoding="utf-8"))
        if isinstance(line, dict) and line == _line(seen, str(line.get("sha256"))):
            return str(line["sha256"])
    return None


def _read(folder: Path | None, weights: Weights, bar: "tqdm[object]") -> str:
    """The hash of the files as they are now; remembered unless they changed meanwhile, or may just have changed."""
    before, now = _seen(weights), time.time_ns()
    sha256 = weights_hash(weights, bar.update)
    if folder is not None and before == _seen(weights) and now - _newest(weights) > TICK_NS:
        with suppress(OSError):  # without it, the next program reads the weights again
            write_file(folder / _name(before), json.dumps(_line(before, sha256)).encode())
    return sha256


def _seen(weights: Weights) -> str:
    """What tells these files, as they are, from all others; a file that was only touched counts as another."""
    files = []
    for path in weights.files:
        one = path.stat()
        files.append((str(path.resolve()), one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns))
    return json.dumps([weights.prefix, files])


def _newest(weights: Weights) -> int:
    return max(max(path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in weights.files)


def _name(seen: str) -> str:
    return f"{sha256_of(seen.encode())[:32]}.json"


def _line(seen: str, sha256: str) -> dict[str, str]:
    return {"of": seen, "sha256": sha256, "sum": sha256_of(f"{seen}\n{sha256}".encode())}


def own_folder(kind: str) -> Path | None:
    """Where what is known of weights is kept for this user; None where nothing can be written."""
    with suppress(OSError, ValueError):
        return cached_assets_path("naysayer", "weights", kind)
    return None
