"""Every simulation in virtual time; and what was simulated, added up, for `docs/reliability.md`."""

from collections import Counter
from typing import Any

import pytest

from tests.simulation.threads import without_threads


@pytest.fixture(autouse=True)
def _threadless(monkeypatch: pytest.MonkeyPatch) -> None:
    without_threads(monkeypatch)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the sums; they come with the reports, also from other processes."""
    sums: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "figures":
                sums.update(value)
    if sums:
        terminalreporter.section("simulated")
        for name, count in sorted(sums.items(), key=lambda item: (item[0].startswith("met "), item[0])):
            terminalreporter.line(f"{count:>12,} {name}")
