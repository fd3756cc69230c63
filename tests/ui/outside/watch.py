"""A machine that is alone, and whoever on it asks for another one.

In a network namespace with only the loopback interface, every address leads back to this machine. Whatever is sent
anywhere is then refused at once, and is seen on that interface, even if the program says nothing of it.
"""

import ctypes
import shutil
import socket
import struct
import subprocess
from collections import Counter
from ipaddress import ip_address
from threading import Thread

from tests.waiting import until

ROUTES = "ip link set lo up && ip route add local default dev lo && ip -6 route add local default dev lo"
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", f'{ROUTES} || exit 99; exec "$@"', "sh"]
IPV4, IPV6, TCP, UDP, PING, DNS = 0x0800, 0x86DD, 6, 17, ((1, 8), (58, 128)), 53
EVERY_FRAME, OUTGOING, LOOPBACK, BEGINS, BEGUN = 0x0003, 4, 127, 0x02, 0x12
ATTACH_FILTER, PACKET, STATISTICS = 26, 263, 6
FILTER = (
    (0x28, 0, 0, 12),  # load the kind of the frame
    (0x15, 6, 0, IPV6),  # IPv6: take it
    (0x15, 0, 6, IPV4),  # neither: drop it
    (0x30, 0, 0, 30),  # load the first figure of the receiver
    (0x15, 0, 3, LOOPBACK),  # another machine: take it
    (0xB1, 0, 0, 14),  # this machine: load the receiver's port
    (0x48, 0, 0, 16),
    (0x15, 0, 1, DNS),  # asks for no name: drop it
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)
"""A program of the kernel's packet filter, so that the pages' own traffic fills no buffer and nothing is lost."""
LAST, LAST_SAID = ("192.0.2.255", 9), "udp 192.0.2.255:9"
"""Our own packet, after which nothing is on its way any more."""


def can_be_alone() -> bool:
    """Whether this system lets us make such a machine."""
    has_both = shutil.which("unshare") and shutil.which("ip")
    return bool(has_both) and subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


class Watch:
    """Hears from its beginning on what is sent to other machines."""

    def __init__(self) -> None:
        self.heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_FRAME))
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in FILTER))
        program = struct.pack("HP", len(FILTER), ctypes.addressof(code))
        self.heard.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)
        self.heard.bind(("lo", 0))
        self.found: Counter[str] = Counter()
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            frame, (_, _, direction, *_) = self.heard.recvfrom(2048)
            if direction == OUTGOING and (said := _said_in(frame)):
                self.found[said] += 1

    def attempts(self) -> dict[str, int]:
        """What was sent so far, and how often: `tcp 192.0.2.1:443`, or `name hub.example`."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", LAST)
        until(lambda: self.found[LAST_SAID], "the last packet to be seen")
        _, lost = struct.unpack("II", self.heard.getsockopt(PACKET, STATISTICS, 8))
        assert lost == 0, f"{lost} packets were not seen"
        return {said: count for said, count in self.found.items() if said != LAST_SAID}


def _said_in(frame: bytes) -> str:
    """What a frame asks for; empty for an answer, and for what stays on this machine."""
    is_four = int.from_bytes(frame[12:14], "big") == IPV4
    start = 14 + (frame[14] & 0x0F) * 4 if is_four else 54
    receiver = ip_address(frame[30:34] if is_four else frame[38:54])
    protocol, sent = frame[23 if is_four else 20], frame[start:]
    port = int.from_bytes(sent[2:4], "big")
    if protocol == UDP and port == DNS:
        return f"name {_name_in(sent[8:])}"
    if receiver.is_loopback:
        return ""
    if protocol == TCP:
        return f"tcp {receiver}:{port}" if sent[13] & BEGUN == BEGINS else ""
    if protocol == UDP:
        return f"udp {receiver}:{port}"
    return f"ping {receiver}" if (protocol, sent[0]) in PING else ""


def _name_in(question: bytes) -> str:
    """The name that a DNS question asks for."""
    labels, place = [], 12
    while place < len(question) and (length := question[place]):
        labels.append(question[place + 1 : place + 1 + length].decode("latin-1"))
        place += 1 + length
    return ".".join(labels)
