"""A real store for every test: SQLite in `tmp_path`, and PostgreSQL where a server can be had."""

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.buckets import make_bucket, serve_s3
from tests.servers import OwnServer, fresh_database, postgres_programs, throw_away_server
from tests.waiting import PATIENCE_S

# Where the tests run side by side, threads of torch that wait for each other's core only spin. Before torch comes in.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hashes of weights are remembered here, not in the folder of whoever runs the tests. Before the hub's library comes in.
os.environ["HF_ASSETS_CACHE"] = str(Path(tempfile.gettempdir()) / f"naysayer-tests-{os.getuid()}")

from sqlalchemy import Engine, text
from sqlmodel import SQLModel, select

from feedback.sample.claims import record_images
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Drawing, Work
from feedback.versions import begin, publish
from store.engine import RETRAIN_LOCK, WORKER_LOCK, reading, writing
from store.files import sha256_of
from store.locks import holding
from store.migrate import open_store
from store.settings import Settings
from store.tables import Image, Origin, Prompt, Version

BASE_SHA256 = "0" * 64
DRAWING = Drawing("plain", 0.0, 3.0, 10, 64, 64)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first, then slow ones, then browsers, so that none is left at the end for one process.

    A browser test that fails runs once more: between two of its steps Chromium may be kept waiting for any time.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
    marked = [{item.path for item in items if item.get_closest_marker(name)} for name in ("timeout", "slow", "browser")]
    items.sort(key=lambda item: [item.path not in paths for paths in marked])


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the main module back: Streamlit's AppTest replaces it, and a spawned process would run the page again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session", autouse=True)
def own_turns(tmp_path_factory: pytest.TempPathFactory) -> None:
    """These tests wait for no model of another program on this machine."""
    os.environ["NAYSAYER_TURNS_DIR"] = str(tmp_path_factory.mktemp("turns"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of an empty store for this test, whatever the environment says."""
    return Settings(data_dir=tmp_path / "data", _env_file=None)


@pytest.fixture
def engine(settings: Settings, empty_store: Path) -> Iterator[Engine]:
    """An empty SQLite store at the newest schema."""
    settings.data_dir.mkdir()
    shutil.copy(empty_store, settings.data_dir)
    with _opened(settings) as engine:
        yield engine


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty SQLite store, migrated once for all tests."""
    folder = tmp_path_factory.mktemp("empty")
    with _opened(Settings(data_dir=folder, _env_file=None)):
        pass
    return folder / "naysayer.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_settings(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Settings of an empty store, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield settings
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield settings.model_copy(update={"store_url": url})


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database for this test."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty store at the newest schema, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("engine")
        return
    engine = request.getfixturevalue("postgres_engine")
    yield engine
    with engine.begin() as connection:  # ten times as fast as TRUNCATE, which makes every file of the database again
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
        restart = "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences"
        connection.execute(text(f"{restart} WHERE last_value IS NOT NULL"))


@pytest.fixture(scope="session")
def postgres_engine(postgres_server: str) -> Iterator[Engine]:
    """A PostgreSQL store, migrated once for all tests; each leaves it empty."""
    with fresh_database(postgres_server) as url, _opened(Settings(store_url=url, _env_file=None)) as engine:
        yield engine


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on this machine; the environment names it and its keys."""
    with serve_s3() as address:
        yield address


@pytest.fixture
def s3_url(s3_server: str) -> str:
    """URL of a new, empty bucket on that server."""
    return make_bucket(s3_server)


@pytest.fixture(params=["s3", "file"])
def bucket_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty bucket, once on an S3 server and once as a shared folder."""
    return request.getfixturevalue("s3_url") if request.param == "s3" else f"file://{tmp_path}/shared"


@pytest.fixture(scope="session")
def fill() -> Callable[..., list[int]]:
    """A function that puts prompts and tiny queued pictures of a version into a store; the ids of its images.

    The pictures are only names, unless `put` (as `Blobs.put`) stores their bytes.
    """

    def fill(
        engine: Engine,
        images: int = 6,
        version: int = 0,
        origin: Origin = Origin.sampled,
        put: Callable[[bytes], str] = sha256_of,
    ) -> list[int]:
        begin(engine, "builtin", BASE_SHA256)
        add_prompts(engine, ["a red star", "a blue hand", "a green word"])
        with reading(engine) as session:
            prompts = list(session.exec(select(Prompt).order_by(Prompt.id)))
            known = len(list(session.exec(select(Image.id))))
        drawn = []
        for seed in range(known, known + images):
            prompt = prompts[seed % len(prompts)]
            work = Work(prompt.id, prompt.text, seed, version, origin)
            drawn.append((work, put(f"picture {seed}".encode()), put(f"latent {seed}".encode())))
        assert record_images(engine, drawn, DRAWING) == images
        with reading(engine) as session:
            return list(session.exec(select(Image.id).order_by(Image.id)))[-images:]

    return fill


@pytest.fixture(scope="session")
def publish_version() -> Callable[..., int]:
    """A function that publishes a version's row with no files behind it."""

    def publish_version(engine: Engine, number: int, **columns: object) -> int:
        begin(engine, "builtin", BASE_SHA256)
        row = {"parent": 0, "sha256": f"{number:064x}", "base_model": "builtin", "base_sha256": BASE_SHA256}
        with writing(engine) as session:
            publish(session, Version(number=number, **(row | columns)), "made by a test")
        return number

    return publish_version


@pytest.fixture(scope="session")
def hold_retrain_lock() -> Callable[[Engine], AbstractContextManager[object]]:
    """`with hold_retrain_lock(engine):` a retrain of that store is alive, as far as its lock tells."""

    def hold(engine: Engine) -> AbstractContextManager[object]:
        return holding(engine, RETRAIN_LOCK, "another retrain runs")

    return hold


@pytest.fixture(scope="session")
def hold_worker_lock() -> Callable[[Engine], AbstractContextManager[object]]:
    """`with hold_worker_lock(engine):` a worker of that store is alive, as far as its lock tells."""

    def hold(engine: Engine) -> AbstractContextManager[object]:
        return holding(engine, WORKER_LOCK, "another worker leads")

    return hold


def _forked(function: Callable[..., object], *arguments: object) -> None:
    """Runs it on one thread: a fork has none of those that OpenMP would wait for."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    function(*arguments)


@pytest.fixture
def exit_code_of() -> Callable[..., int]:
    """A function that runs another one in a forked process, and tells how that process ended."""

    def exit_code_of(function: Callable[..., object], *arguments: object) -> int:
        process = multiprocessing.get_context("fork").Process(target=_forked, args=(function, *arguments))
        process.start()
        process.join(PATIENCE_S)
        process.kill()
        assert process.exitcode is not None
        return process.exitcode

    return exit_code_of


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server: the one named by the environment, or a throw-away one on a unix socket."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if url := os.environ.get("NAYSAYER_TEST_POSTGRES_URL"):
        yield url
        return
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: initdb was not found and NAYSAYER_TEST_POSTGRES_URL is not set")
    folder = Path(tempfile.mkdtemp(prefix="naysayer-postgres-"))
    try:
        with throw_away_server(programs, folder) as server:
            yield server.url
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    """A PostgreSQL server with `restart(mode)`, the mode of pg_ctl: fast or immediate."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: initdb was not found")
    folder = Path(tempfile.mkdtemp(prefix="naysayer-postgres-"))
    try:
        with throw_away_server(programs, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def own_database(own_server: OwnServer) -> Iterator[OwnServer]:
    """That server, with the URL of an empty database for this test."""
    with fresh_database(own_server.url) as url:
        yield own_server._replace(url=url)


@contextmanager
def _opened(settings: Settings) -> Iterator[Engine]:
    engine = open_store(settings)
    try:
        yield engine
    finally:
        engine.dispose()
