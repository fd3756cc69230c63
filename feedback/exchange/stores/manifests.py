"""Training sets of another store under this one's picture numbers, and the references that had to wait for them."""

from dataclasses import replace

from sqlalchemy import select, update

from feedback.exchange.stores.bring import Merge, own_number, table_of
from feedback.exchange.stores.rows import BATCH, read_batches
from feedback.exchange.stores.rules import MERGED
from feedback.pool.pool import PoolItem
from feedback.retrain.manifest import FrozenManifest, load, save


def freeze_again(merge: Merge) -> None:
    """Records every training set of the other store; its name changes with the numbers of its pictures."""
    table = table_of("manifest")
    for theirs in merge.theirs.execute(select(table.c.id).order_by(table.c.created_at, table.c.id)).scalars().all():
        frozen = load(merge.their_session, theirs)
        ours = FrozenManifest(frozen.base_sha256, _renumbered(merge, frozen.items))
        save(merge.our_session, ours)
        merge.our_session.flush()
        merge.manifests[theirs] = ours.id


def _renumbered(merge: Merge, items: tuple[PoolItem, ...]) -> tuple[PoolItem, ...]:
    found: dict[int, PoolItem] = {}
    for start in range(0, len(items), BATCH):
        part = items[start : start + BATCH]
        places = merge.places.find("image", [item.image_id for item in part])
        found |= {places[i.image_id].new: replace(i, image_id=places[i.image_id].new) for i in part}
    return tuple(found[number] for number in sorted(found))


def set_later(merge: Merge) -> None:
    """Sets, in the rows that this merge brought, the columns that had to wait."""
    for name, rule in MERGED.items():
        table = table_of(name)
        if own := own_number(table) if rule.later else None:
            columns = [table.c[own], *(table.c[column] for column in rule.later)]
            for rows in read_batches(merge.theirs, select(*columns)):
                places = merge.places.find(name, (row[own] for row in rows))
                for row in rows:
                    if row[own] in places and places[row[own]].is_new:
                        values = {column: _here(merge, kind, row[column]) for column, kind in rule.later.items()}
                        merge.ours.execute(update(table).where(table.c[own] == places[row[own]].new).values(values))


def _here(merge: Merge, kind: str, value: int | str | None) -> int | str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return merge.manifests[value]
    place = merge.places.find(kind, [value]).get(value)
    return None if place is None else place.new
