"""The client in the docs does what the docs say."""

import os
import re
import subprocess
import sys
from pathlib import Path

from feedback.figures.summary import standing
from feedback.people.tokens import make_token
from store.tables import PersonRole

PAGE = Path(__file__).parents[3] / "docs" / "operator" / "api.md"


def test_the_client_of_the_docs_has_30_lines_and_rates_every_picture(settings, engine, draw, serve, tmp_path, capfd):
    draw(20)
    [client] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in client.splitlines() if line.strip()]) <= 30
    (tmp_path / "client.py").write_text(client)
    with serve(settings) as served:
        token = make_token(engine, "bot", PersonRole.rater)
        asked = os.environ | {"NAYSAYER_SERVER": served.url, "NAYSAYER_TOKEN": token}
        command = [sys.executable, str(tmp_path / "client.py")]
        done = subprocess.run(command, env=asked, capture_output=True, text=True, timeout=60)
        asked["NAYSAYER_TOKEN"] = "of nobody"
        refused = subprocess.run(command, env=asked, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("401: ") and "naysayer token make" in refused.stderr
    assert done.stdout.count("none refused") == 2
    assert (standing(engine).votes, standing(engine).raters) == (20, 1)
    said = capfd.readouterr()
    assert token not in said.out + said.err  # the server's log
