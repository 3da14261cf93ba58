"""
What the system says about itself while it runs: structured log lines, on standard error.

    log = telemetry.logger()
    log.info("job.adopted", task_id=task_id)

Every name that is logged stands in `telemetry.events`, with its level and its fields; the
house tests hold the code against that table. What belongs to a unit of work (run_id, job_id,
connection …) is bound once with `structlog.contextvars` and comes with every line.

A line is cleaned after everything else has been put into it, tracebacks too, and lines of
libraries go through the same chain, so there is no way out around the redaction.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Literal, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from orchestrator.telemetry.outlet import Outlet
from orchestrator.telemetry.redaction import clean, redact, scrub

__all__ = ["Level", "configure", "logger", "redact", "scrub"]

Level = Literal["debug", "info", "warning", "error"]


def configure(*, json: bool, level: Level = "info", stream: BinaryIO | None = None) -> None:
    """
    Send every log line from *level* on to *stream*, standard error by default.

    *json*: one object a line, for machines; else coloured text for people. Lines that cannot be
    written are lost.
    """
    out = stream or sys.stderr.buffer
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _cleaned,
            *_renderers(json, out.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, Outlet(out))),
        # Loggers are made when a module is imported; one that was kept then would miss this call.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(number)


def logger() -> FilteringBoundLogger:
    """Return a logger; each call on it looks up the configuration of that moment."""
    return cast(FilteringBoundLogger, structlog.get_logger())


def _renderers(json: bool, colors: bool) -> list[Processor]:
    if json:
        return [structlog.processors.JSONRenderer(serializer=cast(Callable[..., str], _dumps))]
    # Tracebacks arrive as text that has been cleaned; a prettier formatter would print them anew.
    plain = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return [plain, _encoded]


def _dumps(line: EventDict, **_: Any) -> bytes:
    return orjson.dumps(line)


def _encoded(_logger: WrappedLogger, _method: str, line: Any) -> bytes:
    return cast(str, line).encode()


def _cleaned(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    return cast(EventDict, clean(line))


class _ToStructlog(logging.Handler):
    """Hands the lines of libraries, which use the standard module, to our chain."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # Arguments that do not fit the text: the library's slip must not cost us the line.
            message = str(record.msg)
        fields = {"library": record.name, "message": message, "exc_info": record.exc_info}
        logger().log(record.levelno, "library.logged", **fields)
