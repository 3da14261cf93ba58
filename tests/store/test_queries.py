"""SQL under names: loading it, and repeating it for many rows."""

import sqlite3
from itertools import chain
from pathlib import Path

import pytest

import orchestrator.store
from orchestrator.store import queries


@pytest.mark.parametrize("count", [0, 1, 3, 64, 87, 200])
def test_rows_are_inserted_in_as_few_statements_as_possible(count: int) -> None:
    rows = [(n, str(n)) for n in range(count)]
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (a, b)")

    statements = list(queries.in_chunks("INSERT INTO t (a, b) VALUES (?, ?);", rows))
    for statement, arguments in statements:
        db.execute(statement, arguments)

    assert db.execute("SELECT a, b FROM t ORDER BY a").fetchall() == rows
    assert len(statements) <= count // 64 + 10
    db.close()


def test_a_statement_without_a_row_of_question_marks_is_not_repeated() -> None:
    with pytest.raises(AssertionError):
        queries.for_rows("SELECT 1", 2)


def test_every_statement_is_called_by_its_name_somewhere() -> None:
    room = Path(orchestrator.store.__file__).parent / "sqlite"
    code = "".join(chain.from_iterable(path.read_text() for path in room.glob("*.py")))

    unused = [name for name in queries.load("sqlite") if f'"{name}"' not in code]

    assert unused == []
