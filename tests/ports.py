"""Ports for servers whose address has to be known before they are there, or while they are not."""

import random
import socket
from collections.abc import Iterator
from itertools import cycle

FIRST, BEYOND = 20_000, 32_000
"""From these the system takes none for outgoing connections."""


def _ports() -> Iterator[int]:
    """Yield all of them in turn, beginning anywhere."""
    start = random.SystemRandom().randrange(FIRST, BEYOND)
    return cycle([*range(start, BEYOND), *range(FIRST, start)])


_next_ports = _ports()


def free_port() -> int:
    """Return a port that nobody has, and that this process was not given lately."""
    for port in _next_ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("they come again for ever")
