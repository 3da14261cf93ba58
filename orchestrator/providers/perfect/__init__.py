"""Perfect (Perfect Corp's AI API): uploads, tasks that must be polled to stay alive, and style lists."""

from orchestrator.providers.perfect.connector import connect
from orchestrator.providers.perfect.settings import PerfectSettings

__all__ = ["PerfectSettings", "connect"]
