"""
Which connections submit nothing just now, why, until when, and what ends it.

by a person                            until it is resumed, or until the time that was given
rate_limited                           until the time that the provider gave; then all go on
insufficient_credits, unauthorized     every five minutes one job is let through: if it is accepted,
                                       all go on. More credits than there were end the first at once.

A pause stops submits, never heartbeats, checks or collects. This is memory; what changes in it is
left for `runtime.ledger` to write down.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from orchestrator.clock import SECOND, Clock, rfc3339
from orchestrator.store.connections import (
    By,
    ConnectionBudgetReached,
    ConnectionCreditsChanged,
    ConnectionEvent,
    ConnectionPaused,
    ConnectionResumed,
    ConnectionRow,
)

log = structlog.get_logger()

PROBE_S = 300.0
"""One job is let through this often."""

FRESH_S = 300.0
"""A balance seen no longer ago than this is taken for the one that did not suffice."""

OUT_OF_CREDITS = "insufficient_credits"
_PROBED = frozenset({OUT_OF_CREDITS, "unauthorized"})
_PAUSING = _PROBED | {"rate_limited"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """
    Why nothing is submitted. Times in microseconds since the epoch.

    *until*: when it ends, or when one job is let through next; None: when a person ends it.
    *probing*: one job was let through, and nobody knows yet what became of it.
    *short*: the lowest balance seen that did not suffice; None where none was seen.
    """

    by: By
    cause: str | None
    reason: str | None
    since: int
    until: int | None
    probing: bool = False
    short: float | None = None

    @property
    def is_probed(self) -> bool:
        """Whether only a submit that is accepted shows that it is over."""
        return self.cause in _PROBED


@dataclass(slots=True)
class _Standing:
    """How one connection stands; *news* is what was not written down yet."""

    pause: Pause | None = None
    credits: float | None = None
    credits_at: int = 0
    news: list[ConnectionEvent] = field(default_factory=list)
    is_dirty: bool = False
    budget_until: int = 0


class Pauses:
    """
    The pauses and balances of all connections.

    `changed` is set when there is something to write, `urgent` when it is more than a balance;
    `on_resume` is called with a connection whose submits go out again.
    """

    def __init__(self, connections: Iterable[str], clock: Clock) -> None:
        self._clock = clock
        self._standings = {name: _Standing() for name in connections}
        self.changed = asyncio.Event()
        self.urgent = asyncio.Event()
        self.on_resume: Callable[[str], None] = lambda connection: None

    # --- what is asked ---

    def of(self, connection: str) -> Pause | None:
        """Return the pause of *connection*, None while it submits."""
        pause = self._standings[connection].pause
        if pause is None or pause.until is None or pause.is_probed or self._clock.now() < pause.until:
            return pause
        self._end(connection, "system", "its time is over")
        return None

    def admits(self, connection: str) -> int | None:
        """Return how many submits may start: none, the one that is let through, or None for any number."""
        pause = self.of(connection)
        if pause is None:
            return None
        return int(pause.is_probed and pause.until is not None and self._clock.now() >= pause.until)

    def credits(self, connection: str) -> float | None:
        """Return the balance last seen."""
        return self._standings[connection].credits

    def next_end(self) -> int | None:
        """Return when the next pause ends, or lets one through, that does so by itself; None: none does."""
        now = self._clock.now()
        ends = [s.pause.until for s in self._standings.values() if s.pause is not None]
        return min((until for until in ends if until is not None and until > now), default=None)

    def out_of_credits(self) -> list[str]:
        """Return the connections that wait for credits."""
        return [name for name, s in self._standings.items() if s.pause and s.pause.cause == OUT_OF_CREDITS]

    # --- what happens ---

    def budget_reached(self, connection: str, credits: float, used: float, until: int) -> None:
        """A job has to wait for the budget's next period; said once a period."""
        standing = self._standings[connection]
        if standing.budget_until == until:
            return
        standing.budget_until = until
        now = self._clock.now()
        standing.news.append(
            ConnectionBudgetReached(at=now, connection=connection, credits=credits, used=used, until=until)
        )
        self._note(standing)
        log.warning(
            "connection.budget_reached",
            connection=connection,
            credits=credits,
            used=used,
            until=rfc3339(until),
        )

    def let_through(self, connection: str) -> None:
        """A submit begins. In a pause it is the one that tries; the next may in five minutes."""
        standing = self._standings[connection]
        if standing.pause is not None and self.admits(connection):
            standing.pause = replace(standing.pause, probing=True, until=self._in(PROBE_S))

    def refused(self, connection: str, error: Mapping[str, Any], until: int) -> bool:
        """
        A submit was refused for now; return whether that pauses the connection.

        Shape:   *error* as in `job.rejected`; *until*: when this job may be sent again.
        """
        standing = self._standings[connection]
        before, cause = self.of(connection), error["class"]
        if cause not in _PAUSING:
            if before is not None and before.probing:
                # It told nothing about credits or credentials: another one may try.
                standing.pause = replace(before, probing=False, until=until)
            return False
        if before is not None and (before.by == "person" or (before.is_probed and cause not in _PROBED)):
            return True
        pause = Pause(
            by="system",
            cause=cause,
            reason=f"{cause}: {error['message']}",
            since=self._clock.now(),
            until=self._in(PROBE_S) if cause in _PROBED else until,
            short=self._just_seen(standing),
        )
        if before is None or before.cause != cause:
            self._begin(connection, pause)
        else:
            # Still the same pause: that is no news, but it lasts longer now.
            short = before.short if pause.short is None else pause.short
            later = max(pause.until or 0, before.until or 0)
            standing.pause = replace(pause, since=before.since, until=later, short=short)
            self._note(standing)
        return True

    def accepted(self, connection: str, *, spent: bool) -> None:
        """A submit was accepted; *spent*: it cost credits. One that was let through ends the pause."""
        pause = self.of(connection)
        if pause is None or not pause.probing:
            return
        if pause.cause == OUT_OF_CREDITS and not spent:
            self._standings[connection].pause = replace(pause, probing=False, until=self._clock.now())
            return
        self._end(connection, "system", "a submit was accepted")

    def credentials_held(self, connection: str) -> None:
        """A request that costs nothing was answered: the credentials are good."""
        pause = self.of(connection)
        if pause is not None and pause.cause == "unauthorized":
            self._end(connection, "system", "the credentials are accepted")

    def saw_credits(self, connection: str, credits: float) -> None:
        """An answer showed the balance. More than did not suffice ends a pause for want of credits."""
        standing = self._standings[connection]
        self._note_credits(connection, standing, credits)
        pause = standing.pause
        if pause is None or pause.cause != OUT_OF_CREDITS:
            return
        if credits > (pause.short or 0.0):
            self._end(connection, "system", f"the balance is {credits:g}")
        else:
            standing.pause = replace(pause, short=credits)

    def set(self, connection: str, pause: Pause | None, reason: str | None) -> None:
        """A person paused the connection, or let submits out again; that is written down already."""
        self._standings[connection].pause = pause
        if pause is not None:
            _tell_paused(connection, pause)
            return
        log.info("connection.resumed", connection=connection, reason=reason)
        self.on_resume(connection)

    # --- what is written down ---

    def restore(self, row: ConnectionRow) -> None:
        """Take up what an earlier process wrote; of a connection that is not configured any more nothing."""
        standing = self._standings.get(row.name)
        if standing is None:
            return
        standing.credits = row.credits
        if row.paused_by is not None and row.paused_at is not None:
            # Credentials may have been mended since: whoever restarts need not wait to find out.
            now = self._clock.now()
            until = now if row.cause == "unauthorized" else row.paused_until
            standing.pause = Pause(
                by=row.paused_by,
                cause=row.cause,
                reason=row.reason,
                since=row.paused_at,
                until=until,
                short=row.credits if row.cause == OUT_OF_CREDITS else None,
            )

    def dirty(self) -> list[str]:
        """Return the connections of which something is to be written, and begin to wait for more."""
        self.changed.clear()
        self.urgent.clear()
        return [name for name, standing in self._standings.items() if standing.is_dirty]

    def take(self, connection: str) -> list[ConnectionEvent]:
        """Return the events that are to be written of *connection*; they count as written."""
        standing = self._standings[connection]
        news, standing.news, standing.is_dirty = standing.news, [], False
        return news

    def give_back(self, connection: str, news: list[ConnectionEvent]) -> None:
        """What was taken could not be written."""
        standing = self._standings[connection]
        standing.news[:0] = news
        self._note(standing)

    def row(self, connection: str, pause: Pause | None) -> ConnectionRow:
        """Return the connection's row with *pause*."""
        credits = self._standings[connection].credits
        if pause is None:
            return ConnectionRow(name=connection, credits=credits)
        return ConnectionRow(
            name=connection,
            paused_by=pause.by,
            cause=pause.cause,
            reason=pause.reason,
            paused_at=pause.since,
            paused_until=pause.until,
            credits=credits,
        )

    # ---

    def _begin(self, connection: str, pause: Pause) -> None:
        standing = self._standings[connection]
        standing.pause = pause
        standing.news.append(paused(connection, pause))
        _tell_paused(connection, pause)
        self._note(standing)
        self.urgent.set()

    def _end(self, connection: str, by: By, reason: str) -> None:
        standing = self._standings[connection]
        standing.pause = None
        standing.news.append(resumed(connection, self._clock.now(), by, reason))
        log.info("connection.resumed", connection=connection, reason=reason)
        self._note(standing)
        self.urgent.set()
        self.on_resume(connection)

    def _note_credits(self, connection: str, standing: _Standing, credits: float) -> None:
        before, standing.credits, standing.credits_at = standing.credits, credits, self._clock.now()
        if credits == before:
            return
        log.debug("connection.credits_changed", connection=connection, credits=credits)
        last = standing.news[-1] if standing.news else None
        if isinstance(last, ConnectionCreditsChanged):
            # Nobody has read that one yet: of balances that change in a moment the last one counts.
            standing.news.pop()
            before = last.before
        if credits != before:
            standing.news.append(
                ConnectionCreditsChanged(
                    at=standing.credits_at, connection=connection, credits=credits, before=before
                )
            )
        self._note(standing)

    def _just_seen(self, standing: _Standing) -> float | None:
        is_fresh = self._in(-FRESH_S) <= standing.credits_at
        return standing.credits if is_fresh else None

    def _in(self, seconds: float) -> int:
        return self._clock.now() + int(seconds * SECOND)

    def _note(self, standing: _Standing) -> None:
        standing.is_dirty = True
        self.changed.set()


def _tell_paused(connection: str, pause: Pause) -> None:
    reason = pause.reason or "a person asked for it"
    log.warning("connection.paused", connection=connection, reason=reason, until=rfc3339(pause.until))


def paused(connection: str, pause: Pause) -> ConnectionPaused:
    """Return the event that says that *pause* began."""
    return ConnectionPaused(
        at=pause.since,
        connection=connection,
        by=pause.by,
        cause=pause.cause,
        reason=pause.reason,
        until=pause.until,
    )


def resumed(connection: str, at: int, by: By, reason: str) -> ConnectionResumed:
    """Return the event that says that a pause ended."""
    return ConnectionResumed(at=at, connection=connection, by=by, reason=reason)
