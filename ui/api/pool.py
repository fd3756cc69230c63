"""Operations on data: the pool for curators, the prompt list for admins."""

from itertools import islice

from feedback.exchange.outgoing.chosen import BOTH, Wanted, chosen_pictures
from feedback.exchange.outgoing.chosen import Chosen as ChosenPicture
from feedback.exchange.outgoing.rows import picture_row, vote_rows
from feedback.pool.browse.gallery import Filter
from feedback.sample.prompts import import_prompts
from store.settings import Settings
from ui.api.bodies import Chosen, ImportedPrompts, NewPrompts, PoolPage, PoolPicture
from ui.api.operation import Asked, Operation
from ui.api.rating import picture_url
from ui.web.pictures import image_path


def give_pool(asked: Asked) -> PoolPage:
    """A page of the pool: pictures with their votes, as an export has them."""
    params: Chosen = asked.params
    names = ("prompt", "reason", "version", "rater", "accord", "since", "until")
    wanted = Wanted(
        (params.which,) if params.which else BOTH,
        Filter(**{name: getattr(params, name) for name in names}),
        has_names=params.names,
    )
    found = list(islice(chosen_pictures(asked.engine, wanted, after=params.after), params.count + 1))
    pictures, more = found[: params.count], found[params.count :]
    return PoolPage(
        pictures=[_picture(asked.settings, one) for one in pictures], next=pictures[-1].id if more else None
    )


def add_prompts(asked: Asked) -> ImportedPrompts:
    """Adds prompts to the list that pictures are drawn from, all or none."""
    body: NewPrompts = asked.body
    done = import_prompts(asked.engine, body.prompts, source=body.source)
    return ImportedPrompts(number=done.number, given=len(body.prompts), new=done.new, set_aside=done.set_aside)


def _picture(settings: Settings, one: ChosenPicture) -> PoolPicture:
    url = picture_url(image_path(settings, one.sha256))
    return PoolPicture.model_validate(picture_row(one) | {"url": url, "presses": list(vote_rows(one))})


DATA = (
    Operation("GET", "/pool", "Pool", give_pool, PoolPage, params=Chosen),
    Operation("POST", "/prompts", "Setup", add_prompts, ImportedPrompts, body=NewPrompts),
)
