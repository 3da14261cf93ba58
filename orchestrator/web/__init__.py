"""The admin listener: the JSON API for people and programs. A handler reads, calls one thing, renders."""

from orchestrator.web.deps import Deps
from orchestrator.web.listener import build

__all__ = ["Deps", "build"]
