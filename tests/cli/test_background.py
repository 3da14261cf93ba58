"""Servers beside synchronous code."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestrator.cli import background


def test_what_is_entered_runs_in_a_thread_of_its_own_and_is_left_with_the_block() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def server() -> AsyncIterator[str]:
        seen.append(threading.current_thread().name)
        yield "up"
        seen.append("left")

    with background.running(server()) as state:
        assert (state, seen) == ("up", ["background"])

    assert seen == ["background", "left"]


def test_a_start_that_fails_is_told_to_the_block() -> None:
    @asynccontextmanager
    async def server() -> AsyncIterator[None]:
        raise OSError("port taken")
        yield

    with pytest.raises(OSError, match="port taken"), background.running(server()):
        pass


def test_a_stop_that_fails_is_told_after_the_block() -> None:
    @asynccontextmanager
    async def server() -> AsyncIterator[None]:
        yield
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), background.running(server()):
        pass


def test_an_error_in_the_block_passes_and_the_server_is_left() -> None:
    left: list[bool] = []

    @asynccontextmanager
    async def server() -> AsyncIterator[None]:
        yield
        left.append(True)

    with pytest.raises(KeyboardInterrupt), background.running(server()):
        raise KeyboardInterrupt

    assert left == [True]
