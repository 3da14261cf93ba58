"""Checks that what expressions refer to is there, and goes with what they make of it."""

from collections.abc import Iterable

from orchestrator.definition.expressions import Path as Reference
from orchestrator.definition.names import Names
from orchestrator.definition.reasoning import flaws
from orchestrator.definition.report import Report
from orchestrator.definition.schemas import Astray, may_be_null
from orchestrator.definition.templates import Use
from orchestrator.definition.yaml_document import Path
from orchestrator.wording import quoted

_WITH_HEADERS = ("headers", "response", "callback")


def check_references(path: Path, uses: Iterable[Use], names: Names, report: Report) -> None:
    """Tell of what the expressions of the value at *path* refer to and is not there, or use in vain."""
    for use in uses:
        for flaw in flaws(use.expression, names.type_at):
            report.in_text((*path, *use.place), use.offset + flaw.offset, flaw.message, flaw.hint)
        if not use.whole and may_be_null(names.type_of(use.expression)):
            message = "this may be null, which cannot be put into a text"
            hint = "give another value with | default(…)"
            report.in_text((*path, *use.place), use.offset, message, hint, "warning")
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
