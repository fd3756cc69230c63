"""Files from a browser lie in a tray until they are imported; only admins may fill it."""

import io
import zipfile

import pytest

from feedback.people.invitations import invite
from store.errors import BadRequest
from store.layout import layout_of
from store.settings import Settings
from store.tables import PersonRole
from tests.feedback.exchange.pictures.brought import png
from tests.feedback.metadata import made
from tests.ui.signin.conftest import PUBLIC, SECRET, client_of_routes
from ui.dashboard.setup.pictures.routes import picture_routes
from ui.dashboard.setup.pictures.tray import MOST_TRAYS, TRAYS, Tray, clean_place
from ui.dashboard.setup.pictures.uploader import count_of
from ui.signin.people import COOKIE
from ui.web.limits import MAX_BODY_BYTES
from ui.web.receiving import MOST_AT_ONCE, longest_body


@pytest.fixture
def tray(settings):
    """The name of a tray that is gone after the test."""
    name = TRAYS.begin(layout_of(settings))
    yield name
    TRAYS.end(name)


@pytest.fixture
def client(engine, settings):
    """A browser on this machine."""
    return client_of_routes(picture_routes(lambda: engine, settings))


def lying(name: str) -> dict[str, bytes]:
    found = TRAYS.get(name)
    assert found is not None
    return {one: (found.folder / one).read_bytes() for one in found.names}


def test_files_lie_where_they_lay_in_their_folder_and_are_sources_of_an_import(client, tray):
    data = png("a fox")
    for place in ("day/a.png", "day/a.txt", "list.csv", "day/a.png"):
        answer = client.post(f"/naysayer/pictures/{tray}", content=data, params={"name": place})
        assert (answer.status_code, answer.json()) == (200, {"bytes": len(data)})
    assert lying(tray) == dict.fromkeys(("day/a.png", "day/a.txt", "list.csv"), data)
    [source] = TRAYS.get(tray).sources("sent by ann")
    assert [one.name for one in source.entries()] == ["day/a.png"]
    assert source.root == "sent by ann"


def test_lists_inside_an_archive_are_for_its_own_files_and_one_beside_it_comes_first(client, tray):
    packed, notes = io.BytesIO(), list[str]()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("day/metadata.csv", "file_name,prompt\na.png,a fox\nb.png,a wolf\n")
        archive.writestr("metadata.jsonl", "{")
        archive.writestr("day/a.png", made.png())
    for name, content in {
        "more.zip": packed.getvalue(),
        "a.png": made.png(),
        "list.csv": b"file,prompt\nb.png,an owl\n",
    }.items():
        assert client.post(f"/naysayer/pictures/{tray}", content=content, params={"name": name}).status_code == 200
    found = TRAYS.get(tray)
    loose, zipped = found.sources("sent by ann")
    mapped = found.mapped(zipped, notes.append)
    assert mapped.find("day/a.png") == {"file": "a.png", "prompt": "a fox"}
    assert mapped.find("day/b.png") == {"file": "b.png", "prompt": "an owl"}
    assert found.mapped(loose, notes.append).find("a.png") is None
    assert notes[0] == "day/metadata.csv says what the files do not, in 2 rows"
    assert notes[1].startswith("metadata.jsonl is not used: ")
    assert len(notes) == 2


@pytest.mark.parametrize(
    "name",
    ["", "..", "../a.png", "a/../../b.png", "/a.png", "a//b.png", "C:\\..\\a.png", "a\0.png", "é" * 150 + ".png",
     "a.exe", "page.html", "held.lock", "a/" * 9 + "b.png", "a\n.png"],
)  # fmt: skip
def test_a_place_outside_or_a_file_that_nothing_reads_is_refused(client, tray, name):
    with pytest.raises(BadRequest):
        clean_place(name)
    answer = client.post(f"/naysayer/pictures/{tray}", content=b"x", params={"name": name})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert lying(tray) == {}


def test_more_than_a_tray_holds_is_refused(tray):
    found = TRAYS.get(tray)
    assert found is not None
    found.names["a.png"] = MOST_AT_ONCE - 10
    assert found.place("b.png", 10).name == "b.png"
    with pytest.raises(BadRequest, match="more than 2 GiB together; for more, use `naysayer import pictures`"):
        found.place("b.png", 11)
    found.names |= {f"{number}.png": 0 for number in range(4999)}
    with pytest.raises(BadRequest, match="5,000 files are here already"):
        found.place("c.png", 0)


def test_the_oldest_tray_goes_with_its_files_when_there_are_too_many(settings):
    names = [TRAYS.begin(layout_of(settings)) for _ in range(MOST_TRAYS)]
    first: Tray | None = TRAYS.get(names[0])
    assert first is not None
    names.append(TRAYS.begin(layout_of(settings)))
    assert (TRAYS.get(names[0]), first.folder.exists()) == (None, False)
    for name in names:
        TRAYS.end(name)
    assert [path for path in layout_of(settings).cache.iterdir() if path.is_dir()] == []


def test_an_unknown_tray_says_what_to_do(client):
    answer = client.post("/naysayer/pictures/0", content=b"x", params={"name": "a.png"})
    assert (answer.status_code, "load it again" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(("role", "status"), [("", 401), ("rater", 403), ("curator", 403), ("admin", 200)])
def test_only_admins_send_files(engine, settings, tray, role, status):
    beyond = Settings(**(PUBLIC | {"data_dir": settings.data_dir}), _env_file=None)
    client = client_of_routes(picture_routes(lambda: engine, beyond))
    if role:
        client.cookies.set(COOKIE, invite(engine, role, days=1, secret=SECRET, role=PersonRole(role)))
    answer = client.post(f"/naysayer/pictures/{tray}", content=b"x", params={"name": "a.png"})
    assert answer.status_code == status
    assert set(lying(tray)) == ({"a.png"} if status == 200 else set())


def test_long_bodies_are_let_in_for_admins_and_at_these_addresses_only():
    usual = MAX_BODY_BYTES
    assert longest_body("/naysayer/pictures/x", usual, is_admin=True) == MOST_AT_ONCE
    assert longest_body("/naysayer/pictures/x", usual, is_admin=False) == usual
    assert longest_body("/naysayer/api/v1/votes", usual, is_admin=True) == usual
    assert longest_body("/naysayer/api/v1/import/votes", usual, is_admin=True) == usual


@pytest.mark.parametrize(("sent", "count"), [({"files": 3}, 3), (None, 0), ({"files": True}, 0), ({"files": "3"}, 0)])
def test_what_a_browser_says_it_sent(sent, count):
    assert count_of(sent) == count
