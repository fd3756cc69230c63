import socket

import pytest

from store.errors import BadRequest
from ui.run.supervisor import supervise


def test_a_port_in_use_is_named_before_anything_starts(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadRequest, match=rf"port {port} .*NAYSAYER_PORT"):
            supervise(settings.model_copy(update={"port": port}))
    assert not settings.data_dir.exists()
