"""
Pizi: virtual models, and product pictures with them.

Submits are tasks that end with a callback, which is a hint: it carries no
status and no signature. Nothing at Pizi makes a repeated submit harmless, so
every submit carries its job id in the metadata, by which it can be found.
"""

from orchestrator.providers.pizi.connector import PiziConnector as PiziConnector
from orchestrator.providers.pizi.connector import connect as connect
from orchestrator.providers.pizi.settings import PiziSettings as PiziSettings
