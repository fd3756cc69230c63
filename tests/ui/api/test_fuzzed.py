"""The real server is asked all that its own description allows, and much that it does not."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from feedback.people.tokens import make_token
from store.tables import PersonRole
from tests.waiting import PATIENCE_S

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
REFUSALS = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 429]
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_no_request_meets_an_answer_that_the_description_does_not_have(settings, engine, draw, published, serve):
    draw(12)
    (settings.data_dir / "schemathesis.toml").write_text(REFUSALS)
    token = make_token(engine, "fuzz", PersonRole.admin)
    with serve(settings) as served:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/naysayer/api/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)]
        command += ["--phases", "coverage,fuzzing", "--max-examples", "8", "--seed", "20261128"]
        command += ["--generation-database", "none", "--suppress-health-check", "all", "--no-color"]
        command += ["--request-timeout", str(PATIENCE_S)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=540, cwd=settings.data_dir)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
