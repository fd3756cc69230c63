"""A picture whose file was lost, altered or exchanged is shown to nobody."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from feedback.pool.damage import damaged_pictures
from store.engine import reading
from store.layout import layout_of
from store.tables import Image, Vote
from tests.feedback.rating import image_of
from tests.ui.rate.test_rating_page import IMAGE, all_sent
from ui.rate.plain_form import form_html
from ui.rate.routes import routes


@pytest.fixture
def client(engine, settings) -> TestClient:
    return TestClient(Starlette(routes=routes(lambda: engine, settings)), base_url="http://127.0.0.1:8501")


def ask(client: TestClient, rater: str = "ada", count: int = 24) -> dict[int, str]:
    images = client.post("/naysayer/next", json={"rater": rater, "count": count}).json()["images"]
    return {image["id"]: image["url"] for image in images}


def cut(path: Path, _other: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def flip(path: Path, _other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(bytes(data))


def exchange(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def lose(path: Path, _other: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [cut, flip, exchange, lose])
@pytest.mark.parametrize("side_px", [64, 320])
def test_a_bad_file_is_not_sent_and_its_picture_goes_back(client, engine, settings, draw, harm, side_px):
    draw(4, side_px=side_px)
    given = ask(client)
    (bad, url), (other, _) = list(given.items())[:2]
    layout = layout_of(settings)
    files = [layout.blobs.path(image_of(engine, number).sha256) for number in (bad, other)]
    harm(*files)
    assert client.get(url).status_code == 404
    assert ask(client).keys() == given.keys() - {bad}
    assert bad not in ask(client, "grace")
    assert [picture.image_id for picture in damaged_pictures(engine)] == [image_of(engine, bad).id]


def test_a_bad_display_copy_is_made_again(client, engine, settings, draw):
    draw(2, side_px=320)
    (one, url), (other, other_url) = ask(client).items()
    shown, other_shown = client.get(url).content, client.get(other_url).content
    layout = layout_of(settings)
    copies = [layout.display_copy(image_of(engine, number).sha256) for number in (one, other)]
    exchange(*copies)
    assert client.get(url).content == shown != other_shown
    cut(*copies)
    assert client.get(url).content == shown
    assert damaged_pictures(engine) == []


def test_a_control_and_its_original_share_their_damage(client, engine, settings, draw):
    from feedback.rate.controls import make_control
    from store.tables import Verdict

    draw(1)
    control = make_control(engine, 1, Verdict.keep, by="root")
    with reading(engine) as session:
        image = session.get_one(Image, control)
    layout_of(settings).blobs.path(image.sha256).unlink()
    from ui.web.pictures import IMAGES, rater_path, send_image

    assert send_image(engine, settings, rater_path(settings, image.number).removeprefix(IMAGES)).status_code == 404
    assert [picture.image_id for picture in damaged_pictures(engine)] == [1, control]


def test_pictures_that_are_all_gone_at_once_are_not_set_aside(client, engine, settings, draw):
    draw(2)
    given = ask(client)
    root = layout_of(settings).blobs.root
    root.rename(root.with_name("elsewhere"))
    answers = [client.get(url) for url in given.values()]
    assert {answer.status_code for answer in answers} == {503}
    assert damaged_pictures(engine) == []
    root.with_name("elsewhere").rename(root)
    assert {client.get(url).status_code for url in given.values()} == {200}


def test_the_plain_form_shows_the_next_picture_with_a_sound_file(engine, settings, draw):
    draw(3)
    with reading(engine) as session:
        images = list(session.exec(select(Image)))
    layout = layout_of(settings)
    for image in images[:2]:
        layout.blobs.path(image.sha256).unlink()
    assert f"/naysayer/image/{images[2].number}-" in form_html(engine, settings, "ada")
    layout.blobs.path(images[2].sha256).unlink()
    assert "You have seen everything" in form_html(engine, settings, "ada")


@pytest.mark.browser
def test_the_page_passes_over_a_damaged_picture_without_a_vote(page, settings, engine, draw, serve):
    draw(6)
    with reading(engine) as session:
        images = list(session.exec(select(Image)))
    for image in images[:3]:
        layout_of(settings).blobs.path(image.sha256).write_bytes(b"not what was stored")
    with serve(settings) as served:
        page.goto(served.url)
        page.fill("#name", "Ada")
        page.press("#name", "Enter")
        for _ in range(3):
            expect(page.locator(IMAGE)).to_be_visible()
            page.keyboard.press("k")
        expect(page.locator(".nothing")).to_be_visible()
        all_sent(page)
    with reading(engine) as session:
        assert set(session.exec(select(Vote.image_id))) == {image.id for image in images[3:]}
    assert len(damaged_pictures(engine)) == 3
