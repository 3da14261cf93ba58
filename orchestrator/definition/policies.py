"""Reads what holds for each run of a workflow: what it may spend, how many run at a time, who is told."""

from collections.abc import Iterable, Iterator
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from orchestrator.definition.json_values import kind
from orchestrator.definition.scopes import IN_GROUP
from orchestrator.definition.section import Section
from orchestrator.definition.workflow import Concurrency, EndStatus, Notify
from orchestrator.definition.yaml_document import Path
from orchestrator.wording import quoted

CONCURRENCY_KEYS = ("group", "limit")
NOTIFY_KEYS = ("url", "secret", "on")

RUNS_MAX = 10_000
"""The most runs of a group at a time that can be asked for."""

NotifyDraft = tuple[Path, Notify]
"""Whom to tell, and where that is written."""


def read_budget(top: Section) -> dict[str, float]:
    """Return the credits that a run may use, by connection; 0 stands for what is no number."""
    connections = top.map("budget")
    credits = Section(connections, ("budget",), top.report, known=list(connections))
    return {name: credits.amount(name, "a number of credits") for name in connections}


def read_concurrency(top: Section) -> Concurrency | None:
    if "concurrency" not in top:
        return None
    section = Section(
        top.get("concurrency"), ("concurrency",), top.report, known=CONCURRENCY_KEYS, short="group"
    )
    if "group" not in section:
        section.missing("group", "such as group: ${{ inputs.customer }}; runs of one group take turns")
    elif isinstance(group := section.get("group"), list | dict) or group is None:
        section.wrong("group", f"'group' has to be a text or an expression, not {kind(group)}")
    group = section.value("group", IN_GROUP)
    return Concurrency(group=group, limit=section.whole("limit", 1, 1, RUNS_MAX))


def read_notify(top: Section) -> tuple[NotifyDraft, ...]:
    if "notify" not in top:
        return ()
    given = top.get("notify")
    if not isinstance(given, list):
        return ((("notify",), _notify(top, ("notify",), given)),)
    return tuple((path, _notify(top, path, one)) for path, one in _placed("notify", given))


def _placed(key: str, items: list[Any]) -> Iterator[tuple[Path, Any]]:
    return (((key, index), item) for index, item in enumerate(items))


def _notify(top: Section, path: Path, given: Any) -> Notify:
    if isinstance(given, str):
        _check_url(top, path, given)
        return Notify(url=given)
    section = Section(given, path, top.report, known=NOTIFY_KEYS)
    if "url" not in section:
        section.missing("url", "such as url: https://example.com/done")
    elif url := section.text("url"):
        _check_url(top, (*path, "url"), url)
    return Notify(
        url=section.text("url"),
        secret=section.text("secret", "notify"),
        statuses=read_statuses(section, "on", get_args(EndStatus)),
    )


def read_statuses(section: Section, key: str, default: Iterable[EndStatus]) -> frozenset[EndStatus]:
    """Return the ends of a run that a list names."""
    if key not in section:
        return frozenset(default)
    if section.get(key) == []:
        section.wrong(key, f"'{key}' is empty, so this would never happen", f"such as [{', '.join(default)}]")
    return cast(frozenset[EndStatus], section.names(key, get_args(EndStatus), "status"))


def _check_url(top: Section, path: Path, url: str) -> None:
    if "${{" in url:
        top.report.at_value(path, "expressions are not evaluated here", "write the whole address")
    elif not is_web_address(url):
        top.report.at_value(
            path, f"{quoted(url)} is no address that can be told", "write it as in https://example.com/done"
        )


def is_web_address(text: str) -> bool:
    """Return whether *text* is a whole http(s) URL."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, text))
    except ValueError:
        return False
