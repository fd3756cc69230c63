"""What the leading worker scores between two drawings: single pictures for programs, folders for the page Sort."""

from pathlib import Path

from sqlalchemy import Engine

from feedback.check.version_check import VersionCheck
from feedback.exchange.pictures.sources import Folder
from feedback.exchange.sorting.one import ScoreRequest
from feedback.exchange.sorting.sortings import Sorting
from feedback.sample.requests import answer, take
from feedback.versions import get_version
from store.errors import BadRequest, NaysayerError
from store.layout import Layout
from store.settings import Settings
from store.tables import Task, TaskKind, TaskStatus, Version
from trainer.sample.check import Checker
from trainer.sample.scores.folder import OpenFolder
from trainer.sample.scores.kept import KeptScores, scores_path
from trainer.sample.scores.scorer import Scorer

SLICE_S = 3.0
"""So long a worker scores a folder before it looks whether pictures are to be drawn."""
AT_MOST = 16
"""So many single pictures are scored before that."""


class AskedScores:
    """Answers what pages and programs ask. What was scored stays when the worker ends."""

    def __init__(self, engine: Engine, layout: Layout) -> None:
        self.engine, self.layout = engine, layout
        self._kept: dict[Path, KeptScores] = {}
        self._folder: tuple[OpenFolder, Version] | None = None

    def go_on(self, settings: Settings, checker: Checker, slice_s: float = SLICE_S) -> bool:
        """Scores for a while; whether a folder is not done yet. Nothing of the model is kept."""
        for _ in range(AT_MOST):
            if (task := take(self.engine, TaskKind.score)) is None:
                break
            self._score(task, settings, checker)
        if self._folder is None and (task := take(self.engine, TaskKind.sort)) is not None:
            self._open(task)
        if self._folder is not None:
            folder, version = self._folder
            if not folder.go_on(self._scorer(version, settings, checker), slice_s):
                self._folder = None
        return self._folder is not None

    def _score(self, task: Task, settings: Settings, checker: Checker) -> None:
        assert task.id is not None
        try:
            request = ScoreRequest.of(task)
            scorer = self._scorer(get_version(self.engine, request.version), settings, checker, is_kept=False)
            [row] = scorer.rows(Folder(Path(request.folder)), [request.read], None)
            if row.score is None:
                raise BadRequest(row.why)
            answer(self.engine, task.id, TaskStatus.done, {"score": row.score})
        except NaysayerError as error:
            answer(self.engine, task.id, TaskStatus.failed, {}, str(error))

    def _open(self, task: Task) -> None:
        assert task.id is not None
        try:
            sorting = Sorting.of(task)
            version = get_version(self.engine, sorting.version)
            self._folder = OpenFolder(self.engine, self.layout, sorting), version
        except NaysayerError as error:
            answer(self.engine, task.id, TaskStatus.failed, {}, str(error))

    def _scorer(self, version: Version, settings: Settings, checker: Checker, *, is_kept: bool = True) -> Scorer:
        """`is_kept`: its scores stay; those of single pictures would only grow."""
        check = VersionCheck.of(version)
        if check is None:
            raise BadRequest(f"v{version.number} has no check, so it cannot score pictures")
        path = scores_path(self.layout, settings, version, check)
        key = path if is_kept else path.with_suffix(".not-kept")
        if key not in self._kept:
            self._kept[key] = KeptScores(path, is_lasting=is_kept)
        return Scorer(self.engine, self.layout, version, self._kept[key], lambda: checker)
