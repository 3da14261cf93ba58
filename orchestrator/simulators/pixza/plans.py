"""The three plans of Pixza, and how many requests a minute each lets in."""

from collections import deque
from typing import Final, Literal

from orchestrator.simulators.options import Options

Plan = Literal["free", "pro", "agency"]

REQUESTS_PER_MINUTE: Final[dict[Plan, int]] = {"free": 10, "pro": 60, "agency": 300}
WINDOW_S: Final = 60.0


class Allowance:
    """Counts the requests of one account; strictest reading: no sixty seconds may have more of them."""

    def __init__(self, options: Options, plan: Plan) -> None:
        self._options = options
        self._most = REQUESTS_PER_MINUTE[plan]
        self._seen: deque[float] = deque()

    def takes(self) -> bool:
        """Return whether one more request is let in now; one that is not does not count."""
        if self._options.limits == "off":
            return True
        now = self._options.clock()
        while self._seen and self._seen[0] <= now - WINDOW_S:
            self._seen.popleft()
        if len(self._seen) >= self._most:
            return False
        self._seen.append(now)
        return True
