import sys

import pytest

from store.errors import BadRequest
from ui.run.serve import pages_command


def test_the_command_serves_this_machine_alone_and_phones_nobody(settings):
    command = pages_command(settings.model_copy(update={"port": 8765}))
    assert command[:4] == [sys.executable, "-m", "ui.run.serve", "run"]
    flags = dict(zip(command[5::2], command[6::2], strict=True))
    assert (flags["--server.address"], flags["--server.port"]) == ("127.0.0.1", "8765")
    assert flags["--browser.gatherUsageStats"] == "false"
    assert flags["--client.showErrorDetails"] == "none"
    assert flags["--server.enableXsrfProtection"] == "true"


@pytest.mark.parametrize("missing", ["authlib", "httpx"])
def test_accounts_without_the_libraries_that_sign_in_are_refused_with_a_sentence(settings, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    with pytest.raises(BadRequest, match=rf"needs {missing}; pip install \"naysayer\[oidc\]\""):
        pages_command(settings.model_copy(update={"sign_in": "oidc"}))
