"""
Pixza: images, videos and 3D from a prompt, with one of many models, paid in credits.

A submit may be answered with the finished result. Nothing makes a repeated submit
harmless; a lost one is searched among the recent generations, by what was asked for.
"""

from orchestrator.providers.pixza.connector import PixzaConnector as PixzaConnector
from orchestrator.providers.pixza.connector import connect as connect
from orchestrator.providers.pixza.settings import PixzaSettings as PixzaSettings
