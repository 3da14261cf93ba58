"""
What an operator may set, read once from a TOML file and the environment and handed down as values.

    file          orchestrator.toml, or what --config or ORCHESTRATOR_CONFIG names
    environment   wins over the file: ORCHESTRATOR_<PATH>, nesting by two underscores
    x_file        every secret x may be given as the name of a file that holds it

A table in `providers` is one connection. Its keys belong to the provider's kind, which this
floor does not know: it is kept as it came until `read_connection` is given the kind's model.
Whatever is wrong is told all at once, each problem with its place and without any value
that could be a secret. Relative paths count from the working directory.

Read by a few functions of our own rather than a settings library because of that promise:
places and suggestions for every key, tables whose names nobody knows beforehand, and an
environment that is an argument, so that the real one cannot be read by accident.
"""

from orchestrator.settings.keys import ensure_secret_keys, secret_keys_file
from orchestrator.settings.reading import check_variables, load
from orchestrator.settings.schema import (
    Limits,
    Listen,
    Retention,
    Settings,
    callback_base,
    connection_tables,
    read_connection,
)
from orchestrator.settings.values import Address

__all__ = [
    "Address",
    "Limits",
    "Listen",
    "Retention",
    "Settings",
    "callback_base",
    "check_variables",
    "connection_tables",
    "ensure_secret_keys",
    "load",
    "read_connection",
    "secret_keys_file",
]
