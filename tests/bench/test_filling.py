"""The rows of a filled store: as many as asked, spread over versions, the newest pictures without votes."""

from sqlalchemy import Engine, text

from bench.filling import WAITING, Size, fill


def test_each_version_draws_an_equal_part() -> None:
    size = Size(pictures=900, votes=0, versions=3)
    drawn = [size.version_of(n) for n in range(1, 901)]
    assert [drawn.count(version) for version in range(3)] == [300, 300, 300]


def test_the_newest_pictures_have_no_votes_and_wait(engine: Engine) -> None:
    fill(engine, Size(900, 1000, 2))

    def counted(query: str) -> int:
        with engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())

    assert counted("SELECT count(*) FROM image WHERE origin != 'control'") == 900
    assert counted("SELECT count(*) FROM vote WHERE request_id LIKE 'bench-%'") == 1000
    assert counted("SELECT max(image_id) FROM vote") == 900 - WAITING
    assert counted("SELECT count(*) FROM image WHERE is_queued AND origin != 'control'") == WAITING
