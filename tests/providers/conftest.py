"""What the tests of all connectors share: a driver that plays the runtime with answers given beforehand."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.providers.base import Exchange, Prepare, Request


@pytest.fixture
def drive() -> Callable[..., tuple[list[Request | Prepare], Any]]:
    """Return `drive(exchange, *answers)`, which gives what was asked for, and what was concluded."""
    return _drive


def _drive(exchange: Exchange[Any], *answers: Any) -> tuple[list[Request | Prepare], Any]:
    asked: list[Request | Prepare] = []
    left = list(answers)
    try:
        wanted = next(exchange)
        while True:
            asked.append(wanted)
            assert left, f"there is no answer left for {wanted}"
            wanted = exchange.send(left.pop(0))
    except StopIteration as end:
        assert not left, f"nothing asked for {left}"
        return asked, end.value
