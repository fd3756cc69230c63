"""The server that a bench starts: ready when it answers, ended at the end, an error when it does not come up."""

import sys

import pytest

from bench.rate.browser import answers, find_chromium, free_port, serving
from store.errors import NaysayerError


def test_a_server_is_ready_inside_and_gone_outside(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with serving(command, port, {}, health="/") as url:
        assert answers(url, "/")
        assert not answers(url, "/missing")
    assert not answers(url, "/")


def test_a_server_that_ends_by_itself_is_an_error():
    with pytest.raises(NaysayerError, match="did not start"), serving([sys.executable, "-c", ""], free_port(), {}):
        pass


def test_a_free_port_is_given_once():
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)


def test_the_environment_names_the_chromium(monkeypatch):
    monkeypatch.setenv("NAYSAYER_CHROMIUM", "/opt/chromium")
    assert find_chromium() == "/opt/chromium"
