"""Operations of raters: pictures out, votes in. Nothing here tells the version of a picture."""

from dataclasses import replace

from starlette.responses import Response

from feedback.figures.summary import rating_state
from feedback.rate.guidelines import current_guidelines
from feedback.rate.queue import Shown, next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import take_votes
from feedback.workers import is_worker_alive
from store.settings import Settings
from ui.api.bodies import (
    GuidelinesText,
    Me,
    NextPictures,
    Picture,
    PictureName,
    Receipt,
    Receipts,
    Votes,
    Wish,
)
from ui.api.operation import V1, Asked, Operation
from ui.rate.pace import pace_of
from ui.web.pictures import IMAGES, rater_path, send_image

PAGE = "Rate"
PICTURES = "/pictures/"


def give_me(asked: Asked) -> Me:
    """Whose token this is, and what it allows."""
    return Me(name=asked.person.name, role=asked.person.role)


def reserve_pictures(asked: Asked) -> NextPictures:
    """Reserves the next pictures for this rater; those reserved before come first."""
    wish: Wish = asked.body
    shown = next_images(asked.engine, asked.person.name, Terms.of(asked.settings), count=wish.count)
    guidelines = current_guidelines(asked.engine)
    return NextPictures(
        pictures=[_picture(asked.settings, one) for one in shown],
        guidelines=guidelines.id or 0 if guidelines else 0,
        answers=_answers(asked),
        is_drawing=is_worker_alive(asked.engine),
    )


def give_votes(asked: Asked) -> Receipts:
    """Records votes of this rater; each request id counts once."""
    votes: Votes = asked.body
    pace_of(asked.settings).take(asked.person.name, len(votes.votes))
    presses = [replace(press, page=press.page or "api") for press in votes.votes]
    receipts = take_votes(asked.engine, asked.person.name, presses, Terms.of(asked.settings))
    return Receipts(receipts=[Receipt(**one._asdict()) for one in receipts], answers=_answers(asked))


def give_guidelines(asked: Asked) -> GuidelinesText:
    """What raters are asked to look for."""
    guidelines = current_guidelines(asked.engine)
    return GuidelinesText(number=guidelines.id or 0 if guidelines else 0, text=guidelines.text if guidelines else "")


def give_picture(asked: Asked) -> Response:
    """A picture that this API named."""
    name: PictureName = asked.params
    return send_image(asked.engine, asked.settings, name.name)


def picture_url(path: str) -> str:
    """The address in the API of a picture that pages know by `path`, below the server's own address."""
    return V1 + PICTURES + path.partition(IMAGES)[2]


def _picture(settings: Settings, shown: Shown) -> Picture:
    return Picture(
        id=shown.number,
        url=picture_url(rater_path(settings, shown.number)),
        prompt=shown.prompt,
        unread=shown.unread,
        width=shown.width,
        height=shown.height,
    )


def _answers(asked: Asked) -> int:
    return rating_state(asked.engine, asked.person.name).progress.answers


RATING = (
    Operation("GET", "/me", PAGE, give_me, Me),
    Operation("GET", "/guidelines", PAGE, give_guidelines, GuidelinesText),
    Operation("POST", "/next", PAGE, reserve_pictures, NextPictures, body=Wish),
    Operation("GET", PICTURES + "{name}", PAGE, give_picture, ("image/png", "image/webp"), params=PictureName),
    Operation("POST", "/votes", PAGE, give_votes, Receipts, body=Votes, in_ticks=True),
)
