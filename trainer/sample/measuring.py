"""Measures evaluation pictures for the guardrails."""

from contextlib import suppress
from importlib import import_module

from sqlalchemy import Engine

from feedback.gate.evidence import list_unmeasured, record_measures
from feedback.gate.guardrails import Scorer, measure
from store.errors import BadRequest, DamagedStore
from store.layout import Layout
from store.settings import Settings


def measure_new(engine: Engine, layout: Layout, settings: Settings, limit: int = 64) -> int:
    """How many evaluation pictures were measured for the guardrails; one whose file is lost is left out."""
    waiting = list_unmeasured(engine, limit)
    if not waiting:
        return 0
    score = prompt_scorer(settings.prompt_scorer)
    measured = []
    for number, sha256, prompt in waiting:
        with suppress(DamagedStore):
            measured.append((number, measure(layout.blobs.get(sha256), prompt, score)))
    record_measures(engine, measured)
    return len(measured)


def prompt_scorer(name: str) -> Scorer | None:
    """The function that `module:function` names, None where none is given. Raises BadRequest when it is not there."""
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRequest(f"NAYSAYER_PROMPT_SCORER names {name!r}, which cannot be loaded ({error})") from error
