"""
Pixu: face models trained from a photo, and images asked for with them.

The credentials travel in the body. A GET on the callback URL, with an id appended to
it, is all that is ever heard of a task: it is the verdict, and nobody can be asked.
"""

from orchestrator.providers.pixu.connector import PixuConnector as PixuConnector
from orchestrator.providers.pixu.connector import connect as connect
from orchestrator.providers.pixu.settings import PixuSettings as PixuSettings
