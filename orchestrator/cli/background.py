"""Keeps servers running beside a command that is plain, synchronous code."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def running(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """
    Enter *manager* in an event loop of a thread of its own, and leave it with the block.

    Errors:  whatever entering or leaving it raises.
    """
    entered: Future[T] = Future()
    stop: Future[None] = Future()

    async def hold() -> None:
        async with manager as value:
            entered.set_result(value)
            await asyncio.wrap_future(stop)

    def work() -> None:
        try:
            asyncio.run(hold())
        except BaseException as error:
            # Told to whoever waits: the block that begins, or the one that ends.
            if not entered.done():
                entered.set_exception(error)
            else:
                failures.append(error)

    failures: list[BaseException] = []
    thread = threading.Thread(target=work, name="background", daemon=True)
    thread.start()
    try:
        yield entered.result()
    finally:
        stop.set_result(None)
        thread.join()
    if failures:
        raise failures[0]
