"""
A network within the loop: who listens where, and what is on its way between two ends.

What is written arrives in order, some turns of the loop later, and perhaps in pieces;
how, the loop's dice say. What is spoken over it is the real HTTP of both sides.
"""

import asyncio
import errno
from asyncio import constants, transports
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from random import Random
from typing import Any, NamedTuple

from tests.simulation.lives import LIFE
from tests.simulation.threads import Thread

FIRST_PORT = 40_000
"""Where ports begin that nobody chose."""

PIECE = 65_536
"""How many bytes arrive at a time at most."""

BUFFER = 262_144
"""How many bytes may be on their way before a writer hears that it writes too fast."""

Factory = Callable[[], asyncio.BaseProtocol]


class Address(NamedTuple):
    """Where somebody listens, or called from."""

    host: str
    port: int


class Network:
    """
    All that listens, by port; there is one host.

    *cuts*: the chance that a connection breaks, at any moment, in one or the other direction; those to
    *spared* ports do not. *was_cut* is called for each.
    """

    cuts = 0.0
    spared: frozenset[int] = frozenset()

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: Random) -> None:
        self._loop, self._dice = loop, dice
        self._listening: dict[int, Listener] = {}
        self._dialled: dict[Any, Listener] = {}
        self._next_port = FIRST_PORT
        self.was_cut: Callable[[], object] = lambda: None

    def listen(self, factory: Factory, host: str, port: int) -> "Listener":
        """Take connections at *port*, or at one that is free for 0. Errors: OSError where another does."""
        if port in self._listening:
            raise OSError(errno.EADDRINUSE, f"port {port} is taken")
        listener = Listener(self._listening, factory, Address(host, port or self._new_port()))
        self._listening[listener.address.port] = listener
        return listener

    def dial(self, sock: Any, address: tuple[str, int]) -> None:
        """Find out who is to be reached over *sock*. Errors: ConnectionRefusedError."""
        listener = self._listening.get(address[1])
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens at {address[1]}")
        self._dialled[sock] = listener

    def connect(self, factory: Factory, sock: Any) -> tuple["End", asyncio.BaseProtocol]:
        """Return the caller's end of a connection over *sock*, which has served its purpose."""
        listener = self._dialled.pop(sock)
        sock.close()
        here = Address("127.0.0.1", self._new_port())
        near = End(self._loop, self._dice, factory(), here, listener.address)
        far = listener.context.run(
            lambda: End(self._loop, self._dice, listener.factory(), listener.address, here)
        )
        near.peer, far.peer = far, near
        near.begin()
        far.begin()
        if listener.address.port not in self.spared and self._dice.random() < self.cuts:
            pieces = int(10 ** self._dice.uniform(0.0, 1.2)) - 1
            self._dice.choice((near, far)).break_after(pieces, self.was_cut)
        return near, near.get_protocol()

    def _new_port(self) -> int:
        self._next_port += 1
        return self._next_port


class Listener:
    """Takes connections until it is closed. Its `sockets` tell where, as those of another would."""

    def __init__(self, among: dict[int, "Listener"], factory: Factory, address: Address) -> None:
        self._among, self.factory, self.address = among, factory, address
        self.context = copy_context()
        if (life := LIFE.get()) is not None:
            life.listening.append(self)

    @property
    def sockets(self) -> list["Listener"]:
        return [self] if self.is_serving() else []

    def getsockname(self) -> Address:
        return self.address

    def is_serving(self) -> bool:
        return self._among.get(self.address.port) is self

    def close(self) -> None:
        if self.is_serving():
            del self._among[self.address.port]

    async def wait_closed(self) -> None: ...


class End(transports._FlowControlMixin, asyncio.Transport):
    """One end of a connection; what it writes arrives at its `peer`."""

    _sendfile_compatible = constants._SendfileMode.FALLBACK

    _loop: asyncio.AbstractEventLoop
    peer: "End"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dice: Random,
        protocol: asyncio.BaseProtocol,
        here: Address,
        there: Address,
    ) -> None:
        super().__init__({"sockname": here, "peername": there}, loop)
        self._dice, self._protocol, self._life = dice, protocol, LIFE.get()
        self._context = copy_context()
        self._way = Thread(loop, dice)
        self._arrived: deque[bytes | None] = deque()
        self._under_way = 0
        self._is_reading, self._is_lost, self._has_ended = True, False, False
        self._pieces_left: int | None = None

    def begin(self) -> None:
        """Tell the protocol; if it belongs to the dead, this was for nothing."""
        self._soon(lambda: self._protocol.connection_made(self))
        if self._life is not None:
            self._life.transports.append(self)
            if self._life.is_dead:
                self._soon(self.abort)

    # --- writing ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._has_ended or (self._life is not None and self._life.is_dead):
            return
        left = bytes(data)
        while left:
            length = min(len(left), PIECE)
            if self._dice.random() < 0.1:
                length = self._dice.randint(1, length)
            piece, left = left[:length], left[length:]
            if self._pieces_left == 0:
                return self._break()
            self._pieces_left = None if self._pieces_left is None else self._pieces_left - 1
            self._under_way += length
            self._send(piece)
        self._maybe_pause_protocol()  # type: ignore[attr-defined]

    def write_eof(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._send(None)

    def can_write_eof(self) -> bool:
        return True

    def break_after(self, pieces: int, was_cut: Callable[[], object]) -> None:
        """Break the connection once so many pieces were written here; what is written then is lost."""
        self._pieces_left, self._was_cut = pieces, was_cut

    def _break(self) -> None:
        self._was_cut()
        self._reset()
        self._lose(_gone())

    def get_write_buffer_size(self) -> int:
        return max(self._under_way - BUFFER, 0)

    def _send(self, what: bytes | Exception | None) -> None:
        peer = self.peer
        self._way.hand(lambda: peer._arrive(what))

    def _has_arrived(self, length: int) -> None:
        self._under_way -= length
        if not self._is_lost:
            self._context.run(self._maybe_resume_protocol)  # type: ignore[attr-defined]

    # --- reading ---

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_lost

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self._soon(self._read)

    def _arrive(self, what: bytes | Exception | None) -> None:
        if isinstance(what, Exception):
            self._lose(what)  # At once, also where nobody reads.
        elif self._is_lost and what is not None:
            self._reset()
        else:
            self._arrived.append(what)
            self._soon(self._read)

    def _read(self) -> None:
        while self._arrived and self.is_reading():
            what = self._arrived.popleft()
            if what is not None:
                self.peer._has_arrived(len(what))
                self._protocol.data_received(what)  # type: ignore[attr-defined]
            elif not self._protocol.eof_received():  # type: ignore[attr-defined]
                self.close()

    # --- the end ---

    def is_closing(self) -> bool:
        return self._is_lost

    def close(self) -> None:
        self.write_eof()
        self._lose(None)

    def abort(self) -> None:
        if not self._has_ended and self._dice.random() < 0.5:
            self._reset()
        self.close()

    def _reset(self) -> None:
        self._has_ended = True
        self._send(_gone())

    def _lose(self, why: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            if any(self._arrived):
                self._reset()  # What has arrived is never read.
            self._soon(lambda: self._protocol.connection_lost(why))

    # --- what protocols may ask for ---

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def _soon(self, callback: Callable[[], object]) -> None:
        self._loop.call_soon(callback, context=self._context)


def _gone() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the other side is gone")
