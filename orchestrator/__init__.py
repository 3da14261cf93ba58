"""Runs chains of AI media tasks at providers that answer by callback, and remembers everything."""

__version__ = "0.1.0"
