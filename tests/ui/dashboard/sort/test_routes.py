"""The routes of the page Sort: who may, which folders, and that only pixels go out."""

import io
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image
from starlette.testclient import TestClient

from feedback.exchange.pictures.sources import Archive
from feedback.exchange.sorting.sortings import rows_of
from feedback.exchange.sorting.table import Row
from feedback.people.invitations import invite
from feedback.versions import get_version
from store.engine import writing
from store.files import sha256_of
from store.layout import layout_of
from store.settings import Settings
from store.tables import PersonRole, Version
from tests.feedback.exchange.pictures.brought import png
from tests.ui.dashboard.sort.conftest import PICTURES, Scored
from tests.ui.signin.conftest import PUBLIC, SECRET, client_of_routes
from ui.dashboard.sort.routes import sort_routes
from ui.signin.people import COOKIE

ADDRESS = "/naysayer/sort"


def client_of(engine, settings: Settings, **cookies: str) -> TestClient:
    return client_of_routes(sort_routes(lambda: engine, settings), **cookies)


@pytest.fixture
def client(scored) -> TestClient:
    return client_of(scored.engine, scored.settings)


@pytest.fixture
def client_of_store(engine, settings) -> TestClient:
    return client_of(engine, settings)


def ids(client: TestClient, scored: Scored, worst: int) -> list[int]:
    """The rows of the worst so many pictures."""
    found = client.get(f"{ADDRESS}/{scored.number}").json()["scores"]
    ordered = sorted((row for row, score in enumerate(found) if score is not None), key=lambda row: -found[row])
    return ordered[:worst]


def act(client: TestClient, scored: Scored, **body: object):
    return client.post(f"{ADDRESS}/{scored.number}/act", json=body)


def test_only_the_scores_that_came_since_are_sent(client, scored):
    whole = client.get(f"{ADDRESS}/{scored.number}").json()
    assert (len(whole["scores"]), whole["cut"], whole["isDone"]) == (PICTURES + 1, 0.8, True)
    assert (len(whole["kept"]), len(whole["rejected"])) == (40, 20)
    rest = client.get(f"{ADDRESS}/{scored.number}", params={"after": 199}).json()
    assert (rest["scores"], "kept" in rest) == (whole["scores"][199:], False)


def test_a_picture_goes_out_as_pixels_only_and_only_at_its_signed_address(client, scored):
    [worst] = ids(client, scored, 1)
    path = scored.folder / "sub" / "199.png"
    secret = png("a secret prompt", size=(640, 320))
    path.write_bytes(secret)
    [row] = client.post(f"{ADDRESS}/{scored.number}/rows", json={"rows": [worst]}).json()["rows"]
    assert client.get(row["url"]).status_code == 404  # it is not the file that was scored
    [other] = ids(client, scored, 2)[1:]
    [row] = client.post(f"{ADDRESS}/{scored.number}/rows", json={"rows": [other]}).json()["rows"]
    given = client.get(row["url"])
    assert (given.status_code, given.headers["content-type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(given.content)).info.keys() <= {"loop", "background", "timestamp", "duration"}
    assert client.get(row["url"][:-1] + ("0" if row["url"][-1] != "0" else "1")).status_code == 404
    assert client.get(row["url"].replace("-small-", "-large-")).status_code == 404


def test_pictures_are_moved_once_and_are_still_shown(client, scored):
    rows, to = ids(client, scored, 3), str(scored.folder.with_name("out"))
    assert act(client, scored, what="move", rows=rows, to=to).json() == {
        "words": "3 pictures moved", "done": 3, "stayed": []
    }  # fmt: skip
    assert act(client, scored, what="move", rows=rows, to=to).json()["done"] == 0
    assert client.get(f"{ADDRESS}/{scored.number}").json()["gone"] == sorted(rows)
    [row] = client.post(f"{ADDRESS}/{scored.number}/rows", json={"rows": rows[:1]}).json()["rows"]
    assert client.get(row["url"]).status_code == 200


def test_another_programs_xmp_file_stays_as_it_is(client, scored):
    (scored.folder / "sub" / "199.png.xmp").write_text("<mine/>")
    done = act(client, scored, what="tag", rows=ids(client, scored, 2)).json()
    assert (done["done"], done["stayed"]) == (1, ["sub/199.png is not tagged: 199.png.xmp is another program's"])
    assert (scored.folder / "sub" / "199.png.xmp").read_text() == "<mine/>"
    assert 'xmp:Rating="-1"' in (scored.folder / "198.png.xmp").read_text()


def test_the_flagged_go_out_as_a_zip_of_pixels_with_their_table(client, scored):
    with ZipFile(io.BytesIO(client.get(f"{ADDRESS}/{scored.number}/flagged.zip?cut=0.98").content)) as found:
        table = found.read("naysayer-flagged/sorted.csv").decode().splitlines()
        assert [line.split(",")[0] for line in table] == ["file", "sub/199.png", "198.png", "sub/197.png"]
        assert len(found.namelist()) == 4
    refused = client.get(f"{ADDRESS}/{scored.number}/flagged.zip?cut=2")
    assert (refused.status_code, "nothing to export" in refused.json()["error"]) == (400, True)
    assert client.get(f"{ADDRESS}/{scored.number}/flagged.zip?cut=nan").status_code == 400


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("in", "is no full path"),
        ("/nowhere/at/all", "is no folder on the server"),
        ("{data}", "this store's own files"),
        ("{data}/..", "this store's own files"),
        ("{data}/blobs", "this store's own files"),
    ],
)
def test_a_folder_that_may_not_be_read_is_one_sentence(client, scored, folder, why):
    answer = client.post(ADDRESS, json={"folder": folder.format(data=scored.settings.data_dir)})
    assert (answer.status_code, why in answer.json()["error"]) == (400, True)


def test_nothing_is_moved_out_of_the_folder_that_pages_may_use(scored, tmp_path):
    inside = scored.settings.model_copy(update={"sort_dir": scored.folder.parent / "in"})
    client = client_of(scored.engine, inside)
    rows = ids(client, scored, 1)
    refused = act(client, scored, what="move", rows=rows, to=str(tmp_path / "elsewhere"))
    assert (refused.status_code, "does not lie in" in refused.json()["error"]) == (400, True)
    assert not (tmp_path / "elsewhere").exists()
    link = scored.folder / "link"
    link.symlink_to("/")
    refused = client.post(ADDRESS, json={"folder": str(link)})
    assert "does not lie in" in refused.json()["error"] or "own files" in refused.json()["error"]


def test_from_another_machine_no_folder_is_read_until_the_operator_names_one(scored):
    public = Settings(**(PUBLIC | {"data_dir": scored.settings.data_dir}), _env_file=None)
    cookie = {COOKIE: invite(scored.engine, "ada", days=1, secret=SECRET, role=PersonRole.admin)}
    refused = client_of(scored.engine, public, **cookie).post(ADDRESS, json={"folder": str(scored.folder)})
    assert (refused.status_code, "NAYSAYER_SORT_DIR" in refused.json()["error"]) == (400, True)
    assert client_of(scored.engine, public, **cookie).get(f"{ADDRESS}/{scored.number}").status_code == 400
    named = public.model_copy(update={"sort_dir": scored.folder.parent})
    allowed = client_of(scored.engine, named, **cookie).post(ADDRESS, json={"folder": str(scored.folder)})
    assert allowed.json() == {"number": scored.number}


@pytest.mark.parametrize("role", [PersonRole.rater, PersonRole.curator])
def test_who_may_not_run_the_model_gets_nothing(scored, role):
    public = Settings(**(PUBLIC | {"data_dir": scored.settings.data_dir, "sort_dir": scored.folder}), _env_file=None)
    client = client_of(
        scored.engine, public, **{COOKIE: invite(scored.engine, "bob", days=1, secret=SECRET, role=role)}
    )
    for path in ("", f"/{scored.number}", f"/{scored.number}/flagged.zip?cut=0", f"/{scored.number}/picture/1-small-0"):
        assert client.get(ADDRESS + path).status_code == 403
    assert act(client, scored, what="move", rows=[1], to=str(scored.folder.with_name("out"))).status_code == 403


def test_a_champion_that_cannot_judge_is_said_before_anything_is_scored(client, scored):
    with writing(scored.engine) as session:
        session.get_one(Version, 1).check = None
    assert get_version(scored.engine, 1).check is None
    answer = client.post(ADDRESS, json={"folder": str(scored.folder)})
    assert (answer.status_code, "v1, has no check" in answer.json()["error"]) == (400, True)
    assert client.get(ADDRESS).json()["unable"] == answer.json()["error"]


def test_a_store_without_a_retrain_says_beforehand_what_is_missing(engine, settings, draw, client_of_store):
    assert "this store has no champion, so nothing can be scored" in client_of_store.get(ADDRESS).json()["unable"]
    draw(1)
    assert client_of_store.get(ADDRESS).json()["unable"] == (
        "the champion, v0, has no check (it is the plain model), so nothing can be scored; rate pictures, retrain, "
        "then promote the new version"
    )


def test_a_zip_is_sorted_and_stays_as_it_is(scored, client, tmp_path):
    place = tmp_path / "pictures.zip"
    with ZipFile(place, "w") as archive:
        for path in sorted(scored.folder.rglob("*.*")):
            archive.write(path, path.relative_to(scored.folder))
    before = place.read_bytes()
    number = client.post(ADDRESS, json={"folder": str(place)}).json()["number"]
    rows = [Row(entry, sha256_of(entry.name.encode()), int(Path(entry.name).stem) / PICTURES, "", "a star")
            for entry in Archive(place).entries()]  # fmt: skip
    rows_of(layout_of(scored.settings), number).add(rows)
    zipped = scored._replace(number=number)
    assert client.get(f"{ADDRESS}/{number}").json()["isArchive"]
    assert not client.get(f"{ADDRESS}/{scored.number}").json()["isArchive"]
    worst = ids(client, zipped, 2)
    [row, _] = client.post(f"{ADDRESS}/{number}/rows", json={"rows": worst}).json()["rows"]
    assert row["name"] == "200.png"
    with Image.open(io.BytesIO(client.get(row["url"]).content)) as shown:
        assert shown.format == "WEBP"
    for what in ("move", "tag"):
        answer = act(client, zipped, what=what, rows=worst, to=str(tmp_path / "out"))
        assert (answer.status_code, "a ZIP archive stays as it is" in answer.json()["error"]) == (400, True)
    assert act(client, zipped, what="copy", rows=worst, to=str(tmp_path / "out")).json()["done"] == 2
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert names == {"200.png", "200.txt", "sub/199.png", "sub/199.txt"}
    assert (tmp_path / "out" / "200.png").read_bytes() == (scored.folder / "200.png").read_bytes()
    flagged = client.get(f"{ADDRESS}/{number}/flagged.zip", params={"cut": 0.99})
    with ZipFile(io.BytesIO(flagged.content)) as exported:
        assert {name for name in exported.namelist() if name.endswith(".png")} == {
            f"naysayer-flagged/{name}.png" for name in ("200.png", "sub/199.png")
        }
    sent = act(client, zipped, what="send", rows=worst)
    assert (sent.status_code, sent.json()["done"]) == (200, 2)
    assert place.read_bytes() == before


def test_a_picture_that_left_its_zip_is_neither_shown_nor_copied(scored, client, tmp_path):
    place = tmp_path / "pictures.zip"
    with ZipFile(place, "w") as archive:
        archive.writestr("1.png", png("a star"))
        archive.writestr("2.png", png("a hand"))
    number = client.post(ADDRESS, json={"folder": str(place)}).json()["number"]
    rows = [Row(entry, sha256_of(entry.name.encode()), 0.9, "", "a star") for entry in Archive(place).entries()]
    rows_of(layout_of(scored.settings), number).add(rows)
    place.unlink()
    with ZipFile(place, "w") as archive:
        archive.writestr("2.png", png("another hand"))
    shown = client.post(f"{ADDRESS}/{number}/rows", json={"rows": [0, 1]}).json()["rows"]
    assert client.get(shown[0]["url"]).status_code == 404
    copied = act(client, scored._replace(number=number), what="copy", rows=[0, 1], to=str(tmp_path / "out")).json()
    assert copied["done"] == 0
    assert copied["stayed"] == [f"{k}.png stays: it changed since it was scored; run this again" for k in (1, 2)]
    place.write_bytes(b"no archive")
    answer = client.post(ADDRESS, json={"folder": str(place)})
    assert (answer.status_code, "is no folder on the server and no ZIP" in answer.json()["error"]) == (400, True)
