"""Checks that what expressions refer to is there."""

from collections.abc import Iterable

from orchestrator.definition.expressions import Path as Reference
from orchestrator.definition.names import Names
from orchestrator.definition.report import Report
from orchestrator.definition.schemas import Astray
from orchestrator.definition.templates import Use
from orchestrator.definition.yaml_document import Path
from orchestrator.wording import quoted

_WITH_HEADERS = ("headers", "response", "callback")


def check_references(path: Path, uses: Iterable[Use], names: Names, report: Report) -> None:
    """Tell of everything that the expressions of the value at *path* refer to and that is not there."""
    for use in uses:
        guarded = {r.path for r in use.expression.references if r.guarded}
        for reference in use.expression.references:
            at, offset = (*path, *use.place), use.offset + reference.offset
            try:
                names.walk(reference.path)
            except Astray as astray:
                if astray.severity == "error" or reference.path not in guarded:
                    report.in_text(at, offset, astray.message, astray.hint, astray.severity)
            if (header := _header(reference.path)) is not None and header != header.lower():
                hint = f"write ['{header.lower()}']"
                report.in_text(at, offset, f"no header is called {quoted(header)} here", hint)


def _header(path: Reference) -> str | None:
    """Return the name of the header that *path* leads to; they are all in lower case."""
    if path[0] not in _WITH_HEADERS or "headers" not in path[:-1]:
        return None
    name = path[path.index("headers") + 1]
    return name if isinstance(name, str) else None
