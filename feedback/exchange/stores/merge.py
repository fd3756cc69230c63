"""Another store brought into this one: one transaction, and the same again adds nothing."""

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import Engine, make_url
from tqdm import tqdm

from feedback.exchange.stores.bring import Merge, bring_table, count_merged, table_of
from feedback.exchange.stores.changes import CHANGES
from feedback.exchange.stores.files import copy_files, count_files
from feedback.exchange.stores.manifests import freeze_again, set_later
from feedback.exchange.stores.rows import in_utc, set_sequences
from feedback.exchange.stores.rules import MERGED
from feedback.exchange.stores.still import disposed, kept_still
from feedback.pool.tally import rebuild
from feedback.succession import PLAIN
from feedback.versions import describe_base
from store.engine import reading, writing
from store.errors import BadRequest
from store.layout import layout_of
from store.migrate import open_store, read_store
from store.phrases import plural
from store.settings import Settings
from store.settings.sources import SETTINGS_FILE, read_file
from store.tables import Version

WORDS = {"vote": "vote", "image": "picture", "version": "version", "rater": "rater", "prompt": "prompt"}


class Merged(NamedTuple):
    """How many rows of each table came, and which number here each new version got.

    `replaced` votes did not come, because their rater has voted on the picture here since; `lost` files could not.
    """

    brought: dict[str, int]
    versions: dict[int, int]
    replaced: int
    lost: int

    @property
    def words(self) -> str:
        """What came, in a sentence or two."""
        came = [plural(self.brought[table], word) for table, word in WORDS.items() if self.brought[table]]
        numbers = ", ".join(f"v{old} is v{new} here" for old, new in self.versions.items())
        replaced = f"; {plural(self.replaced, 'vote')} left out, replaced by a later one here" if self.replaced else ""
        lost = f"; {plural(self.lost, 'file')} lost or altered there, and so not copied" if self.lost else ""
        added = f"added {', '.join(came)}" if came else "added nothing: this store holds all of it already"
        return f"{added}{replaced}{lost}" + (
            f"\n{numbers}; champion and challenger are as they were" if numbers else ""
        )


def merge(settings: Settings, folder: Path, store_url: str = "") -> Merged:
    """Brings the store with the data folder `folder` into this one; that one is only read.

    `store_url` is its database, where neither the folder nor its settings say. Raises BadRequest when there is no
    store, it is this one, or it has another base; Busy while a worker or a retrain of one of them runs; StoreError.
    """
    other = _settings_of(settings, folder, store_url)
    with disposed(read_store(other)) as source:
        with disposed(read_store(settings)) as before:
            _refuse_other_base(before, source, folder)
        with disposed(open_store(settings)) as target:
            theirs, ours = layout_of(other), layout_of(settings)
            with kept_still(theirs, source), kept_still(ours, target):
                with tqdm(total=count_files(source), desc="copying", unit=" files", delay=1) as bar:
                    lost = copy_files(source, theirs, ours, bar.update)
                return _bring(source, target, lost, settings)


def _bring(source: Engine, target: Engine, lost: int, settings: Settings) -> Merged:
    with reading(source) as theirs, writing(target) as ours:
        in_utc(theirs.connection())
        in_utc(ours.connection())
        with tqdm(total=count_merged(theirs), desc="merging", unit=" rows", delay=1) as bar:
            merge = Merge(theirs, ours, layout_of(settings), bar.update)
            for name in MERGED:
                bring_table(merge, name, CHANGES.get(name, lambda _merge, rows: rows))
        freeze_again(merge)
        set_later(merge)
        versions = merge.places.brought("version")
        merge.places.close()
        set_sequences(merge.ours, [table_of(name) for name in MERGED])
        rebuild(ours)
    return Merged(dict(merge.brought), versions, merge.left["vote"], lost)


def _settings_of(settings: Settings, folder: Path, store_url: str) -> Settings:
    """The settings that name the other store. Raises BadRequest."""
    if not folder.is_dir():
        raise BadRequest(f"there is no folder {folder}; name the data folder of the other store; nothing was merged")
    kept = read_file(folder / SETTINGS_FILE, Settings.model_fields)
    try:
        other = Settings(data_dir=folder, store_url=store_url or kept.get("store_url", ""), blobs=kept.get("blobs", ""))
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadRequest(f"the other store cannot be opened: {said}; nothing was merged") from None
    is_same_folder = other.data_dir.resolve() == settings.data_dir.resolve()
    if is_same_folder or make_url(other.url) == make_url(settings.url):
        raise BadRequest(f"{folder} is this store itself; name another one; nothing was merged")
    return other


def _refuse_other_base(ours: Engine, theirs: Engine, folder: Path) -> None:
    mine, other = _plain(ours, "this store"), _plain(theirs, f"{folder}")
    if mine.base_sha256 != other.base_sha256:
        raise BadRequest(
            f"{folder} was begun with the base model {describe_base(other)} ({other.base_sha256[:12]}…) and this store "
            f"with {describe_base(mine)} ({mine.base_sha256[:12]}…); only stores of one base can be merged; nothing "
            "was changed"
        )


def _plain(engine: Engine, name: str) -> Version:
    with reading(engine) as session:
        found = session.get(Version, PLAIN)
    if found is None:
        raise BadRequest(f"{name} holds no pictures yet, because it was never started; nothing was merged")
    return found
