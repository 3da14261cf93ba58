"""What a doctor makes of versions, clocks and workflow files."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.definition.loader import parse
from orchestrator.definition.workflow import (
    RunTrigger,
    ScheduleTrigger,
    Triggers,
    Verification,
    WebhookTrigger,
)
from orchestrator.errors import Problem
from orchestrator.operations import checkup
from orchestrator.operations.workflows import Found


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 40, 1), None), ((3, 51, 2), None), ((3, 51, 3), True), ((3, 52, 0), True)]
)
def test_an_sqlite_with_the_bug_of_the_log_is_a_warning_with_a_reason(
    version: tuple[int, ...], ok: bool | None
) -> None:
    found = checkup.sqlite_version(version)

    assert found.ok is ok
    assert (found.advice is None) == (ok is True)


@pytest.mark.parametrize(
    ("skew_s", "ok", "message"),
    [
        (0.4, True, "agrees with example.com"),
        (-4.0, True, "agrees with example.com"),
        (12.0, None, "12 s ahead of example.com"),
        (-45.0, False, "45 s behind example.com"),
    ],
)
def test_a_clock_that_is_wrong_is_told(skew_s: float, ok: bool | None, message: str) -> None:
    found = checkup.clock(skew_s, "example.com")

    assert (found.ok, found.message) == (ok, message)


def test_a_clock_that_nobody_could_be_asked_about_is_a_question() -> None:
    assert checkup.clock(None, None).ok is None


def test_of_many_problems_a_few_are_told_and_the_others_counted() -> None:
    problems = [Problem(message=f"wrong {n}", file="a.yaml") for n in range(12)]

    found = checkup.workflows(Found({}, {}, problems, {}))

    assert len(found) == 6
    assert found[-1].message == "7 more problems"
    assert not any(finding.ok for finding in found)


def test_a_folder_that_will_be_made_is_judged_by_the_one_it_will_be_in(tmp_path: Path) -> None:
    found = checkup.folder("data folder", tmp_path / "a" / "b", 0)

    assert "can be written" in found.message
    assert not (tmp_path / "a").exists()


def test_a_disk_on_which_nothing_would_be_submitted_is_told_before(tmp_path: Path) -> None:
    full = checkup.folder("data folder", tmp_path, 10**18)

    assert full.ok is False
    assert "min_free_disk" in (full.advice or "")


def test_how_long_things_are_kept_is_told() -> None:
    assert "for ever" in checkup.retention(None, None).message
    assert checkup.retention(90 * 86_400, None).message == "ended runs for 90 days and files for 90 days"


def of_triggers(**triggers: Triggers) -> list[tuple[bool | None, str]]:
    """Return what is made of workflows with these triggers."""
    source = '{"name": "w", "steps": {"a": {"uses": "core/sleep", "with": {"duration": "1s"}}}}'
    workflows = {name: replace(parse(source), name=name, triggers=one) for name, one in triggers.items()}
    return [(one.ok, one.message) for one in checkup.triggers(Found(workflows, {}, (), {}))]


def test_what_starts_runs_is_told() -> None:
    hook = WebhookTrigger(inputs={}, verify=Verification(scheme="token", secret="shop"))
    schedules = [ScheduleTrigger(cron="0 3 * * *"), ScheduleTrigger(cron="0 4 * * *")]

    told = of_triggers(
        orders=Triggers(webhook=hook, schedules=schedules),
        tidy=Triggers(runs=[RunTrigger(workflow="orders")]),
    )

    assert told == [(True, "/hooks/orders (token); 2 schedules; 1 run trigger")]
    assert of_triggers(orders=Triggers()) == []


def test_a_hook_that_lets_everybody_in_is_a_question() -> None:
    told = of_triggers(orders=Triggers(webhook=WebhookTrigger(inputs={})))

    assert told == [(None, "anybody who knows the address /hooks/orders can start runs of 'orders'")]
