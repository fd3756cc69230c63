"""`/naysayer/metrics`: the loop in Prometheus' text format, for this machine alone unless set otherwise."""

from collections.abc import Callable
from ipaddress import ip_address

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from feedback.figures.summary import standing, version_rows
from feedback.pool.pool import how_due
from store.settings import Settings
from store.tables import RunStatus

TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_routes(engine: Callable[[], Engine], settings: Settings) -> list[Route]:
    """The route; `engine` is called for each request."""

    async def give_metrics(request: Request) -> Response:
        """The loop in Prometheus' text format, only for this machine unless `NAYSAYER_METRICS_OPEN` is set."""
        if not settings.metrics_open and not _is_near(request):
            return PlainTextResponse("the metrics are for this machine alone (NAYSAYER_METRICS_OPEN)\n", 403)
        return Response(await run_in_threadpool(metrics_text, engine(), settings), media_type=TYPE)

    return [Route("/naysayer/metrics", give_metrics, methods=["GET"])]


def metrics_text(engine: Engine, settings: Settings) -> str:
    """Every metric with its help; no names of people, no prompts."""
    now, due, rows = standing(engine), how_due(engine, settings.rejects_needed), version_rows(engine)
    is_running = now.run is not None and now.run.status is RunStatus.running
    step = now.run.step / now.run.steps if is_running and now.run is not None and now.run.steps else 0
    gauges = [
        ("images", "Pictures drawn for rating.", now.images),
        ("images_waiting", "Pictures that wait to be rated.", now.waiting),
        ("votes", "Current reject and keep votes.", now.votes),
        ("votes_today", "Current votes received today (UTC).", now.votes_today),
        ("raters", "People with a current vote.", now.raters),
        ("pool_rejects", "Rejects in the pool.", now.rejects),
        ("pool_keeps", "Keeps beside them.", now.keeps),
        ("pool_disputed", "Pictures whose votes are tied.", now.disputed),
        ("new_rejects", "Rejects that the newest version was not trained on.", due.new_rejects),
        ("new_rejects_needed", "New rejects that make a retrain due.", due.needed),
        ("retrain_running", "1 while a retrain runs.", int(is_running)),
        ("retrain_progress", "Share of the running retrain that is done.", step),
        ("champion", "Number of the live version.", next((r.number for r in rows if "champion" in r.aliases), 0)),
    ]
    lines = [
        f"# HELP naysayer_{name} {meaning}\n# TYPE naysayer_{name} gauge\nnaysayer_{name} {value}"
        for name, meaning, value in gauges
    ]
    for name, meaning, values in (
        ("version_judged", "Judged pictures of a version.", {row.number: row.judged for row in rows}),
        ("version_rejected", "Judged pictures of a version that are rejects.", {r.number: r.rejected for r in rows}),
    ):
        lines.append(f"# HELP naysayer_{name} {meaning}\n# TYPE naysayer_{name} gauge")
        lines += [f'naysayer_{name}{{version="{number}"}} {value}' for number, value in sorted(values.items())]
    return "\n".join(lines) + "\n"


def _is_near(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
