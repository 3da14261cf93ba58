"""
SQL under names: reads the `.sql` files, so that Python calls a name and builds no statement.

A file holds `-- name: put_runs`, comment lines that say what the statement is for,
and the statement. One that inserts a row of `?` can be had for many rows, so that a
batch costs one call into the database rather than one a row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_ROW = re.compile(r"\((?:\?, )*\?\)(?=;|\s*ON CONFLICT)")

_SIZES = (64, 16, 4, 1)
"""How many rows one statement takes; few sizes, so that prepared statements are used again."""


@cache
def load(dialect: str) -> Mapping[str, str]:
    """Return every statement of *dialect* by its name."""
    text = files("orchestrator.store").joinpath(f"sql/{dialect}/queries.sql").read_text("utf-8")
    parts = _NAME.split(text)[1:]
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"two statements of {dialect} have the same name")
    return dict(zip(names, map(_statement, bodies), strict=True))


def _statement(body: str) -> str:
    lines = [line for line in body.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip()


@cache
def for_rows(statement: str, count: int) -> str:
    """Return an INSERT of one row of `?` as an INSERT of *count* rows."""
    match = _ROW.search(statement)
    assert match, f"this statement does not insert a row of question marks: {statement}"
    rows = ", ".join([match[0]] * count)
    return statement[: match.start()] + rows + statement[match.end() :]


def in_chunks(statement: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Return what to run to insert *rows*: statements and their arguments, as few as possible."""
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            yield for_rows(statement, size), list(chain.from_iterable(chunk))
            start += size
