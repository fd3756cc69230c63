"""Operations on data: the pool for curators, the prompt list for admins."""

from itertools import islice

from starlette.responses import Response

from feedback.exchange.incoming.said import Source
from feedback.exchange.incoming.take import import_votes
from feedback.exchange.outgoing.chosen import BOTH, Wanted, chosen_pictures, require_rater
from feedback.exchange.outgoing.chosen import Chosen as ChosenPicture
from feedback.exchange.outgoing.rows import json_line, picture_row, vote_rows
from feedback.pool.browse.gallery import Filter
from feedback.sample.prompts import import_prompts
from store.archive.work import work_folder
from store.files import make_folder
from store.layout import layout_of
from store.settings import Settings
from ui.api.bodies import (
    Chosen,
    Filtered,
    ForeignVotes,
    ImportedPrompts,
    ImportedVotes,
    LeftOut,
    NewPrompts,
    PoolPage,
    PoolPicture,
)
from ui.api.operation import Asked, Operation
from ui.api.rating import picture_url
from ui.dashboard.pool.download import data_entries, zip_response
from ui.web.pictures import image_path


def give_pool(asked: Asked) -> PoolPage:
    """A page of the pool: pictures with their votes, as an export has them."""
    params: Chosen = asked.params
    found = list(islice(chosen_pictures(asked.engine, _wanted(asked), after=params.after), params.count + 1))
    pictures, more = found[: params.count], found[params.count :]
    return PoolPage(
        pictures=[_picture(asked.settings, one) for one in pictures], next=pictures[-1].id if more else None
    )


def export_pool(asked: Asked) -> Response:
    """The pool as one zip: pictures, tables, votes and pairs, as `naysayer export data` writes them."""
    return zip_response(data_entries(asked.engine, layout_of(asked.settings), _wanted(asked)))


def import_foreign_votes(asked: Asked) -> ImportedVotes:
    """Records votes that were given elsewhere on pictures of this store, under their raters' names; each once."""
    body: ForeignVotes = asked.body
    layout = layout_of(asked.settings)
    make_folder(layout.cache)
    with work_folder(layout.cache) as folder:
        path = folder / "rows.jsonl"
        path.write_text("".join(map(json_line, body.rows)), encoding="utf-8")
        source = Source(path, body.rater, body.preferences)
        report = import_votes(asked.engine, source, asked.settings.overlap)
    left_out = [LeftOut(why=why, rows=n) for why, n in report.left.most_common()]
    counts = {"recorded": report.recorded, "known": report.known, "raters": report.raters, "pictures": report.images}
    return ImportedVotes(**counts, left_out=left_out)


def add_prompts(asked: Asked) -> ImportedPrompts:
    """Adds prompts to the list that pictures are drawn from, all or none."""
    body: NewPrompts = asked.body
    done = import_prompts(asked.engine, body.prompts, source=body.source)
    return ImportedPrompts(number=done.number, given=len(body.prompts), new=done.new, set_aside=done.set_aside)


def _wanted(asked: Asked) -> Wanted:
    """What the request asks for. Raises BadRequest for a rater whom the store does not know."""
    params: Filtered = asked.params
    names = ("prompt", "reason", "version", "rater", "accord", "since", "until")
    chosen = Filter(**{name: getattr(params, name) for name in names})
    wanted = Wanted((params.which,) if params.which else BOTH, chosen, has_names=params.names)
    require_rater(asked.engine, wanted)
    return wanted


def _picture(settings: Settings, one: ChosenPicture) -> PoolPicture:
    url = picture_url(image_path(settings, one.sha256))
    return PoolPicture.model_validate(picture_row(one) | {"url": url, "presses": list(vote_rows(one))})


DATA = (
    Operation("GET", "/pool", "Pool", give_pool, PoolPage, params=Chosen, refused=404),
    Operation("GET", "/pool/data", "Pool", export_pool, ("application/zip",), params=Filtered, refused=404),
    Operation("POST", "/import/votes", "Setup", import_foreign_votes, ImportedVotes, body=ForeignVotes),
    Operation("POST", "/prompts", "Setup", add_prompts, ImportedPrompts, body=NewPrompts),
)
