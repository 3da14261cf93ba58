"""
The only place where concrete parts are chosen and joined, and where start and stop are written.

`build` checks everything that can be checked without starting; `App.running` runs a server
for as long as a block lasts; `serve` runs one until a signal ends it.
"""

from orchestrator.app.choices import connect, retention
from orchestrator.app.life import App, Running, build
from orchestrator.app.process import serve

__all__ = ["App", "Running", "build", "connect", "retention", "serve"]
