"""Collects the problems of one file, each with its place."""

from typing import Literal

from orchestrator.definition.expressions import ExpressionError
from orchestrator.definition.yaml_document import QUOTE_THIS, Document, Path, Place
from orchestrator.errors import Problem

Severity = Literal["error", "warning"]


class Report:
    """Every problem found so far. *file* is how people call the file."""

    def __init__(self, document: Document, file: str) -> None:
        self._document, self._file = document, file
        # What the YAML itself does not say properly would only be told again, in other words.
        self._flawed = {place for _, place, _ in document.flaws}
        self._problems: dict[Problem, None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem, from the top of the file to its end."""
        return tuple(sorted(self._problems, key=lambda p: (p.line or 0, p.column or 0)))

    def holds(self, path: Path) -> bool:
        """Return whether something was written at *path* itself."""
        return self._document.holds(path)

    @property
    def has_errors(self) -> bool:
        return self.errors > 0

    @property
    def errors(self) -> int:
        """How many problems there are that are no warnings."""
        return sum(problem.severity == "error" for problem in self._problems)

    def at_value(
        self, path: Path, message: str, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        """Tell of a problem with the value at *path*."""
        self._add(self._document.value(path), path, message, hint, severity)

    def at_key(self, path: Path, message: str, hint: str | None = None, severity: Severity = "error") -> None:
        """Tell of a problem with the key of *path*: that it is there, or what belongs below it is not."""
        self._add(self._document.key(path), path, message, hint, severity)

    def in_text(
        self, path: Path, offset: int, message: str, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        """Tell of a problem at the character *offset* of the text at *path*."""
        self._add(self._document.inside(path, offset), path, message, hint, severity)

    def of_expression(self, path: Path, error: ExpressionError) -> None:
        """Tell of an expression that cannot be read; its offset counts from the start of the text."""
        hint = error.hint
        if error.message.startswith("this ${{ is not closed") and self._document.is_plain(path):
            hint = QUOTE_THIS
            if self._document.text_at(path).rstrip().endswith("}"):
                hint = "two brackets close it: }}"
            if self._document.after(path).lstrip().startswith("#"):
                hint = f"an unquoted # starts a comment: {QUOTE_THIS}"
        self.in_text(path, error.offset, error.message, hint)

    def at_place(self, place: Place, message: str, hint: str | None = None) -> None:
        """Tell of a problem with the file itself."""
        self._add(place, (), message, hint, "error")

    def _add(self, place: Place, path: Path, message: str, hint: str | None, severity: Severity) -> None:
        if path and place in self._flawed:
            return
        problem = Problem(
            message=message,
            location=dotted(path),
            file=self._file,
            line=place.line,
            column=place.column,
            hint=hint,
            severity=severity,
        )
        self._problems[problem] = None


def dotted(path: Path) -> str:
    """Return *path* as people write it: `steps.model.with.images[0]`."""
    parts = [f".{part}" if isinstance(part, str) else f"[{part}]" for part in path]
    return "".join(parts).removeprefix(".")
