"""The client in the docs does what the docs say."""

import os
import re
import subprocess
import sys
from pathlib import Path

from feedback.figures.summary import standing
from feedback.people.tokens import make_token
from store.tables import PersonRole
from tests.feedback.exchange.pictures.brought import folder_of, png
from tests.ui.api.test_score import worker
from tests.ui.dashboard.sort.conftest import make_champion
from tests.waiting import PATIENCE_S

PAGE = Path(__file__).parents[3] / "docs" / "operator" / "api.md"


def test_the_client_of_the_docs_has_30_lines_and_rates_every_picture(settings, engine, draw, serve, tmp_path, capfd):
    draw(20)
    client, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in client.splitlines() if line.strip()]) <= 30
    (tmp_path / "client.py").write_text(client)
    with serve(settings) as served:
        token = make_token(engine, "bot", PersonRole.rater)
        asked = os.environ | {"NAYSAYER_SERVER": served.url, "NAYSAYER_TOKEN": token}
        command = [sys.executable, str(tmp_path / "client.py")]
        done = subprocess.run(command, env=asked, capture_output=True, text=True, timeout=PATIENCE_S)
        asked["NAYSAYER_TOKEN"] = "of nobody"
        refused = subprocess.run(command, env=asked, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("401: ") and "naysayer token make" in refused.stderr
    assert done.stdout.count("none refused") == 2
    assert (standing(engine).votes, standing(engine).raters) == (20, 1)
    said = capfd.readouterr()
    assert token not in said.out + said.err  # the server's log


def test_the_scorer_of_the_docs_has_10_lines_and_says_what_to_draw_again(
    settings, engine, draw, publish_version, serve, tmp_path, hold_worker_lock
):
    make_champion(engine, draw, publish_version)
    _, scorer = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in scorer.splitlines() if line.strip()]) <= 11
    (tmp_path / "scorer.py").write_text(scorer)
    folder_of(tmp_path / "output", a__png=png("a red star"), b__png=png("a blue hand"))
    with serve(settings) as served, worker(engine, hold_worker_lock, 0.9):
        token = make_token(engine, "farm", PersonRole.admin)
        asked = os.environ | {"NAYSAYER_SERVER": served.url, "NAYSAYER_TOKEN": token}
        command = [sys.executable, str(tmp_path / "scorer.py")]
        done = subprocess.run(command, env=asked, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("a.png 0.900 draw it again\nb.png 0.900 draw it again\n", "")
