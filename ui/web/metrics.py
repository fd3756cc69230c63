"""`/naysayer/metrics`: the loop for Prometheus, open to this machine only unless set otherwise."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from math import inf

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from feedback.figures.flow import flow_of
from feedback.figures.summary import VersionRow, standing, version_rows
from feedback.policy import rejects_needed
from feedback.pool.pool import how_due
from feedback.retrain.progress import last_stages
from feedback.retrain.stages import Phase, Stage, phases_of
from feedback.workers import SeenWorker, list_workers
from store.settings import Settings
from store.settings.live import as_changed
from store.tables import Run, RunStatus, Worker
from ui.web.guard import is_from_elsewhere

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""A proxy's headers. One that sends none stands behind sign-in, where the metrics are closed anyway."""


def metrics_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The route; `engine` is called for each request."""

    async def give_metrics(request: Request) -> Response:
        """The loop in Prometheus' text format; beyond this machine only when `NAYSAYER_METRICS_OPEN` is set."""
        if not settings.metrics_open and not (settings.sign_in == "name" and _is_direct(request)):
            sentence = "the metrics are closed; NAYSAYER_METRICS_OPEN opens them to everybody who reaches this server"
            return PlainTextResponse(f"{sentence}\n", 403)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await run_in_threadpool(encode, registry_of(engine(), as_changed(settings)))
        return Response(body, headers={"content-type": content_type})

    return [Route("/naysayer/metrics", give_metrics, methods=["GET"])]


def metrics_text(engine: Engine, settings: Settings) -> str:
    """Every metric with its help, in Prometheus' text format."""
    return generate_latest(registry_of(engine, settings)).decode()


def registry_of(engine: Engine, settings: Settings) -> CollectorRegistry:
    """A registry of our own metrics only, which reads the store once, when it is encoded."""
    registry = CollectorRegistry()
    registry.register(LoopCollector(engine, settings))
    return registry


class LoopCollector(Collector):
    """The loop's figures as gauges; no names of people, no prompts."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings = engine, settings

    def collect(self) -> Iterator[Metric]:
        now, due = standing(self.engine), how_due(self.engine, rejects_needed(self.settings), self.settings.rater_share)
        rows = version_rows(self.engine)
        yield _gauge("images", "Pictures drawn for rating, those of evaluation sets included.", now.drawn)
        yield _gauge("images_waiting", "Pictures that wait to be rated.", now.waiting)
        yield _gauge(
            "votes",
            "Votes: the latest reject or keep of each rater on each picture.",
            now.votes,
        )
        yield _gauge("votes_today", "Votes received today (UTC).", now.votes_today)
        yield _gauge("raters", "People with a vote.", now.raters)
        yield _gauge("pool_rejects", "Rejects in the pool, without those taken out by hand.", now.rejects)
        yield _gauge("pool_keeps", "Keeps in the pool, without those taken out by hand.", now.keeps)
        yield _gauge("pool_disputed", "Pictures of the pool with as many rejects as keeps.", now.disputed)
        yield _gauge("new_rejects", "Rejects that the newest version was not trained on.", due.new_rejects)
        yield _gauge("new_rejects_needed", "New rejects that make a retrain due.", due.needed)
        yield from _retrain(now.run)
        yield _phases(last_stages(self.engine))
        seen = list_workers(self.engine)
        workers = [worker for worker in seen if worker.is_there]
        yield from _workers(seen)
        flow = flow_of(self.engine, workers, now.waiting, self.settings.overlap)
        yield _gauge("rated_per_minute", "Pictures a minute that raters judged in the last minutes.", flow.rated)
        lasts_s = inf if flow.lasts_min is None else 60 * flow.lasts_min
        yield _gauge("queue_lasts_seconds", "Until nothing waits, at these paces; +Inf: drawing keeps up.", lasts_s)
        yield _gauge(
            "versions_damaged", "Versions whose files are missing or altered; the base draws.", len(now.damaged)
        )
        yield _gauge("champion", "Number of the champion version.", _champion(rows))
        yield _by_version(
            "version_judged",
            "Judged sampled pictures of a version.",
            rows,
            lambda row: row.judged,
        )
        yield _by_version("version_rejected", "Rejected sampled pictures of a version.", rows, lambda row: row.rejected)


def _retrain(run: Run | None) -> Iterator[Metric]:
    is_running = run is not None and run.status is RunStatus.running
    done = run.step / run.steps if run is not None and is_running and run.steps else 0.0
    yield _gauge("retrain_running", "1 while a retrain runs, 0 otherwise.", is_running)
    yield _gauge("retrain_progress_ratio", "Share of the running retrain that is done, 0 to 1.", done)


def _phases(stages: list[Stage]) -> Metric:
    meaning = "Seconds of each phase of the last retrain that made a version; 0 before there is one."
    family = GaugeMetricFamily("naysayer_retrain_phase_seconds", meaning, labels=["phase"])
    took = {phase.phase: phase.seconds for phase in phases_of(stages)}
    for phase in Phase:
        family.add_metric([phase.value], took.get(phase, 0.0))
    return family


def _workers(seen: list[SeenWorker]) -> Iterator[Metric]:
    yield _gauge("workers", "Workers that are there.", sum(worker.is_there for worker in seen))
    yield from _by_worker(
        "worker_pictures_per_minute",
        "Pace of a worker's last batches.",
        [(worker.row, worker.row.per_minute or 0.0) for worker in seen if worker.is_there],
    )
    yield from _by_worker(
        "worker_pictures",
        "Pictures a worker drew since it started.",
        [(worker.row, worker.row.drawn) for worker in seen if worker.is_there],
    )
    yield from _by_worker(
        "worker_silent_seconds",
        "Since a worker last spoke, which it does every 4 s; after 20 s it is taken for gone.",
        [(worker.row, max(0.0, worker.silent_s)) for worker in seen],
    )


def _by_worker(name: str, meaning: str, values: list[tuple[Worker, float]]) -> Iterator[Metric]:
    """A value of each worker; nothing without one."""
    if not values:
        return
    family = GaugeMetricFamily(f"naysayer_{name}", meaning, labels=["host", "device", "worker"])
    for row, value in values:
        family.add_metric([row.host, row.device, row.name], value)
    yield family


def _champion(rows: list[VersionRow]) -> int:
    return next((row.number for row in rows if "champion" in row.aliases), 0)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"naysayer_{name}", meaning, value=value)


def _by_version(name: str, meaning: str, rows: list[VersionRow], value: Callable[[VersionRow], int]) -> Metric:
    family = GaugeMetricFamily(f"naysayer_{name}", meaning, labels=["version"])
    for row in sorted(rows, key=lambda row: row.number):
        family.add_metric([str(row.number)], value(row))
    return family


def _is_direct(request: Request) -> bool:
    """Whether a program of this machine asks, and no proxy for somebody else."""
    if any(name in request.headers for name in FORWARDED) or is_from_elsewhere(request.headers):
        return False
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
