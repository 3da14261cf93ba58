"""
Trypi: avatar images from a prompt, with reference images or without.

A job is asked for with a poll that is held open until it has ended. A submit may be
repeated with the same key and the same bytes; nobody calls back.
"""

from orchestrator.providers.trypi.connector import TrypiConnector as TrypiConnector
from orchestrator.providers.trypi.connector import connect as connect
from orchestrator.providers.trypi.settings import TrypiSettings as TrypiSettings
