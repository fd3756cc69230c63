"""`naysayer export lora N`: a version's files for another program, into a folder or as one zip."""

from pathlib import Path

from feedback.versions import get_version
from store.errors import BadRequest
from store.files import make_folder, write_file
from store.migrate import read_store
from store.settings import Settings
from ui.export.files import Entry, Format, files_for, zip_chunks, zip_name


def export_lora(settings: Settings, number: int, form: Format, folder: Path, *, is_zipped: bool = False) -> list[Path]:
    """The files written into `folder`, which is created if needed. No file is overwritten.

    Raises BadRequest for the plain base and for a file that exists already, DamagedStore when the store's own file is
    not the published one.
    """
    version = get_version(read_store(settings), number)
    entries = files_for(settings, version, form)
    if is_zipped:
        entries = [Entry(zip_name(version, form), b"".join(zip_chunks(entries)))]
    make_folder(folder)
    paths = {folder / entry.name: entry for entry in entries}
    if existing := [path for path in paths if path.exists()]:
        raise BadRequest(f"{existing[0]} exists already; nothing was written; give another folder with --out")
    for path, entry in paths.items():
        write_file(path, b"".join(entry.chunks()))
    return list(paths)
