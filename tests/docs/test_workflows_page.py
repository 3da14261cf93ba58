"""The reference of the language names every word there is, and its examples give what it says."""

import json
import re
from collections.abc import Iterable
from typing import get_args

import pytest

from orchestrator.core.connector import CoreConnector
from orchestrator.core.http import Http
from orchestrator.definition.expressions import compile_expression
from orchestrator.definition.filters import CONCATENATE, FILTERS, TESTS
from orchestrator.definition.policies import CONCURRENCY_KEYS, NOTIFY_KEYS
from orchestrator.definition.reading import DEFAULTS_KEYS, RETRY_KEYS, STEP_KEYS, TOP_KEYS
from orchestrator.definition.scopes import ROOTS, STATUS_FUNCTIONS
from orchestrator.definition.triggers import (
    RUN_KEYS,
    SCHEDULE_KEYS,
    TRIGGERS_KEYS,
    VERIFY_KEYS,
    WEBHOOK_KEYS,
)
from orchestrator.definition.workflow import OnUncertain
from tests.docs.generate import DOCS
from tests.docs.reading import first_column, rows

PAGE = DOCS / "workflows.md"


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("The file", TOP_KEYS),
        ("Steps", STEP_KEYS),
        ("Retries", RETRY_KEYS),
        ("Uncertain submits", get_args(OnUncertain)),
        ("Operations of our own", [f"core/{name}" for name in CoreConnector().operations]),
        ("A request of your own", [info.alias or name for name, info in Http.model_fields.items()]),
        ("Turns", CONCURRENCY_KEYS),
        ("Triggers", TRIGGERS_KEYS),
        ("Webhooks", {*WEBHOOK_KEYS, "verify", *VERIFY_KEYS}),
        ("Schedules", SCHEDULE_KEYS),
        ("Following runs", RUN_KEYS),
        ("Notifications", NOTIFY_KEYS),
        ("Expressions", ROOTS),
        ("Conditions", [f"{name}()" for name in STATUS_FUNCTIONS]),
        ("Filters", set(FILTERS) - {CONCATENATE}),
        ("Tests", TESTS),
    ],
)
def test_every_word_of_the_language_is_in_its_table(heading: str, known: Iterable[str]) -> None:
    assert first_column(PAGE, heading) == set(known)


def test_what_defaults_may_hold_is_told() -> None:
    told = next(cells[1] for cells in rows(PAGE, "The file") if cells[0] == "`defaults`")

    assert set(re.findall(r"`(\w+)`", told)) == set(DEFAULTS_KEYS)


EXAMPLES = [
    (cells[1].strip("`"), cells[2].strip("`"))
    for title in ("Filters", "Tests")
    for cells in rows(PAGE, title)
]


@pytest.mark.parametrize(("source", "result"), EXAMPLES, ids=[source for source, _ in EXAMPLES])
def test_examples_give_what_the_page_says(source: str, result: str) -> None:
    value = compile_expression(source).evaluate({"inputs": {}})

    assert json.dumps(value) == json.dumps(json.loads(result))
