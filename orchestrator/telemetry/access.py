"""One log line for each request that a listener answered: the path without query and token."""

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, StreamResponse

from orchestrator import telemetry


class AccessLog(AbstractAccessLogger):
    """For `AppRunner(access_log_class=AccessLog)`; says `request.answered`."""

    _log = telemetry.logger()

    @property
    def enabled(self) -> bool:
        return self._log.is_enabled_for(20)

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        self._log.info(
            "request.answered",
            method=request.method,
            path=request.path,
            status=response.status,
            duration_ms=round(time * 1000, 1),
            size=response.body_length,
            remote=request.remote,
        )
