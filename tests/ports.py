"""Ports for servers whose address has to be known before they are there, or while they are not."""

import random
import socket


def free_port() -> int:
    """Return a port that nobody has, and that the system gives to no outgoing connection."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
