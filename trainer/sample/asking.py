"""Scores pictures that raters may be asked about, so that the queue knows which votes would teach most."""

import logging
from itertools import groupby

import torch
from sqlalchemy import Engine

from feedback.sample.asking import Unscored, committee, let_go, list_unscored, record_scores
from store.errors import DamagedStore, DamagedVersion
from store.tables import Version
from trainer.sample.check import Checker, read_latent

log = logging.getLogger("naysayer.worker")


def score_asked(engine: Engine, checker: Checker, queue_target: int, ask_share: float) -> int:
    """How many scores were recorded: of what waits to be asked about, by the checks of the newest versions.

    Older pictures that newer ones replace leave the queue first.
    """
    let_go(engine, queue_target, ask_share)
    found = 0
    for version in committee(engine):
        try:
            scores = _scores(checker, version, list_unscored(engine, version.number))
        except DamagedVersion as error:
            log.warning("%s", error)
            continue
        record_scores(engine, version.number, scores)
        found += len(scores)
    return found


def _scores(checker: Checker, version: Version, unscored: list[Unscored]) -> dict[int, float]:
    """The version's score of each picture whose file can be read."""
    scores: dict[int, float] = {}
    for _, alike in groupby(unscored, key=lambda one: (one.image.width, one.image.height)):
        read = _read(checker, list(alike))
        if read:
            latents_BCHW = torch.stack([latent for _, latent in read])
            values = checker.reject_scores(version, latents_BCHW, [one.prompt for one, _ in read]).tolist()
            scores |= {one.image_id: value for (one, _), value in zip(read, values, strict=True)}
    return scores


def _read(checker: Checker, unscored: list[Unscored]) -> list[tuple[Unscored, torch.Tensor]]:
    read = []
    for one in unscored:
        try:
            read.append((one, read_latent(checker.base, checker.layout, one.image)))
        except DamagedStore as error:
            log.warning("%s", error)
    return read
