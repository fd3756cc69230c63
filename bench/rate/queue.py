"""How long it takes to find a rater's next pictures in a large store: naysayer bench queue"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from feedback.rate.queue import next_images
from feedback.rate.terms import Mix, Terms
from feedback.rate.votes import Press, record_votes
from feedback.sample.prompts import add_prompts
from feedback.versions import begin
from store.engine import writing
from store.migrate import open_store
from store.settings import Settings
from store.tables import Verdict
from ui.rate.page_data import LIMITS

RATERS = 50


def measure_queue(images: int, votes: int, picks: int) -> dict[str, Any]:
    """Milliseconds to pick the next pictures, one or a whole queue, among `images` with `votes` votes, in SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_store(Settings(data_dir=Path(folder)))
        _fill(engine, images, votes)
        found: dict[str, Any] = {"images": images, "votes": votes}
        for name, count, mix in (
            ("one", 1, Mix(0.05, 0.02)),
            ("hand", LIMITS.queue, Mix(0.05, 0.02)),
        ):
            found[name] = _time_picks(engine, name, count, mix, picks)
        engine.dispose()
        return found


def table(found: dict[str, Any]) -> str:
    """The figures for the terminal."""
    lines = [f"{found['images']:,} queued pictures, {found['votes']:,} votes"]
    for name in ("one", "hand"):
        row = found[name]
        lines.append(
            f"{name:<16} p50 {row['p50_ms']:7.2f} ms   p95 {row['p95_ms']:7.2f} ms   max {row['max_ms']:7.2f} ms"
        )
    return "\n".join(lines)


def _time_picks(engine: Engine, name: str, count: int, mix: Mix, picks: int) -> dict[str, float]:
    took = []
    for pick in range(picks):
        rater = f"rater {pick % RATERS + 1}"
        began = time.perf_counter()
        shown = next_images(engine, rater, Terms(3, 600, mix), count=count)
        took.append(1000 * (time.perf_counter() - began))
        presses = [Press(f"{name}-{pick}-{image.image_id}", image.image_id, Verdict.keep) for image in shown]
        record_votes(engine, rater, presses, Terms(3, 600))
    ranked = statistics.quantiles(took, n=100)
    return {"p50_ms": round(ranked[49], 2), "p95_ms": round(ranked[94], 2), "max_ms": round(max(took), 2)}


def _fill(engine: Engine, images: int, votes: int) -> None:
    """Pictures of one version, all still queued because they need four votes, each with votes of three raters."""
    begin(engine, "builtin", "0" * 64)
    add_prompts(engine, [f"prompt {n}" for n in range(198)])
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
    with writing(engine) as session:
        run = session.connection().execute
        run(
            text(
                count + "INSERT INTO rater (id, name, name_key, created_at) "
                "SELECT i, 'rater ' || i, 'rater ' || i, '2026-01-01' FROM n"
            ),
            {"last": RATERS},
        )
        run(
            text(
                count + "INSERT INTO image (id, number, work_key, sha256, prompt_id, negative_prompt, seed, rule, "
                "strength, guidance_scale, num_inference_steps, width, height, version, origin, is_queued, overlap, "
                "shuffle, created_at) SELECT i, i + 4294967296, hex(randomblob(16)) || i, hex(randomblob(32)), "
                "i % 198 + 1, '', i, 'plain', 0, 3, 20, 64, 64, 0, 'sampled', 1, 4, abs(random()) % 2147483648, "
                "'2026-01-01' "
                "FROM n"
            ),
            {"last": images},
        )
        run(
            text(
                count + "INSERT INTO vote (id, request_id, rater_id, image_id, verdict, page, received_at) "
                f"SELECT i, 'seed-' || i, (i / :images + i * 7) % {RATERS} + 1, (i - 1) % :images + 1, "
                "CASE WHEN i % 3 = 0 THEN 'reject' ELSE 'keep' END, 'one', '2026-01-01' FROM n"
            ),
            {"last": votes, "images": images},
        )
        run(text(
            "INSERT OR IGNORE INTO lease (image_id, rater_id, expires_at) SELECT image_id, rater_id, '2026-01-01' "
            "FROM vote"
        ))  # fmt: skip
        run(text(
            "INSERT INTO word (image_id, rater_id, verdict, vote_id, day) "
            "SELECT image_id, rater_id, verdict, max(id), '2026-01-01' FROM vote GROUP BY image_id, rater_id"
        ))  # fmt: skip
        run(text("ANALYZE"))
