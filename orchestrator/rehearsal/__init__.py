"""Workflows against simulated providers: a sandbox to run them in, and tests of what has to come of it."""
