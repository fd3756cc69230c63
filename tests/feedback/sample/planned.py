"""Plans of the sampler, and pictures drawn as they say."""

from sqlalchemy import Engine, text
from sqlmodel import select

from feedback.sample.claims import record_images
from feedback.sample.plan import next_work
from feedback.sample.work import Drawing, Wanted, Work
from store.engine import reading, writing
from store.tables import Image, Origin

DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)


def plan(engine: Engine, *, target: int = 24, batch: int = 8, base_slice: float = 0.1, pairs: int = 0) -> list[Work]:
    return next_work(engine, Wanted(target, batch, base_slice, pairs))


def draw(engine: Engine, works: list[Work]) -> int:
    return record_images(engine, [(work, f"{work.seed:064x}", f"{work.seed:064x}") for work in works], DRAWING)


def images(engine: Engine, origin: Origin) -> list[Image]:
    with reading(engine) as session:
        return list(session.exec(select(Image).where(Image.origin == origin).order_by(Image.id)))


def draw_grid(engine: Engine, pairs: int = 4) -> None:
    while works := plan(engine, target=0, batch=3, pairs=pairs):
        assert {work.origin for work in works} == {Origin.evaluation}
        assert draw(engine, works) == len(works)


def many_prompts(engine: Engine, prompts: int) -> None:
    with writing(engine) as session:
        session.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :prompts) INSERT INTO prompt "
                "(text, source, is_active, created_at) SELECT 'prompt ' || i, '', TRUE, '2026-01-01' FROM n"
            ),
            {"prompts": prompts},
        )
