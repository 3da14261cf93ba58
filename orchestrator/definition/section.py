"""One map of a definition, read key by key: every key known, every value of its type."""

import re
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

from orchestrator.definition.json_values import kind
from orchestrator.definition.report import Report, dotted
from orchestrator.definition.scopes import ROOTS
from orchestrator.definition.templates import TemplateValue, template_value
from orchestrator.definition.yaml_document import Path
from orchestrator.durations import seconds
from orchestrator.wording import did_you_mean, listed, quoted, shown

D = TypeVar("D")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Section:
    """
    The map at *path*. Every wrong key and value is told; then what would be there without it is returned.

    *known* are the keys it may have; *elsewhere* what to write for keys that other systems have;
    *short* the key that a text or number alone was probably meant for.
    """

    def __init__(
        self,
        data: Any,
        path: Path,
        report: Report,
        *,
        known: Sequence[str],
        elsewhere: Mapping[str, str] | None = None,
        short: str | None = None,
    ) -> None:
        self.path, self.report = path, report
        self._is_map = isinstance(data, dict)
        self._data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if not self._is_map:
            report.at_value(
                path, f"{self._name} has to be a map, not {kind(data)}", _instead(data, known, short)
            )
        for key in self._data:
            if key not in known:
                hint = (elsewhere or {}).get(key.lower()) or did_you_mean(key, known)
                report.at_key((*path, key), f"unknown key {quoted(key)}", hint)

    @property
    def _name(self) -> str:
        return (
            f"'{dotted(self.path[-2:] if isinstance(self.path[-1], int) else self.path[-1:])}'"
            if self.path
            else "a workflow"
        )

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def get(self, key: str) -> Any:
        """Return the value as it is, or None."""
        return self._data.get(key)

    def wrong(self, key: str, message: str, hint: str | None = None) -> None:
        """Tell of a problem with the value of *key*."""
        self.report.at_value((*self.path, key), message, hint)

    def missing(self, key: str, hint: str | None = None) -> None:
        """Tell that the key is not there, unless there is no map that it could be in."""
        if self._is_map:
            self.report.at_key(self.path, f"{self._name} needs the key '{key}'", hint)

    def _of_kind(self, key: str, types: type | tuple[type, ...], expected: str) -> Any:
        value = self._data.get(key)
        if key not in self._data:
            return None
        if isinstance(value, types) and (types is bool or not isinstance(value, bool)):
            return value
        given = shown(value) if types is int and isinstance(value, float) else kind(value)
        self.wrong(key, f"'{key}' has to be {expected}, not {given}", _hint(value, types))
        return None

    def text(self, key: str, default: str = "", *, free: bool = False) -> str:
        """Return a text; only a *free* one may look as if it held an expression."""
        value = self._of_kind(key, str, "text")
        if value is not None and "${{" in value and not free:
            self.wrong(key, f"expressions are not evaluated in '{key}'")
            return default
        return default if value is None else str(value)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._of_kind(key, bool, "true or false")
        return default if value is None else bool(value)

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        value = self._of_kind(key, int, f"a whole number from {least} to {most:,}")
        if value is None:
            return default
        if not least <= value <= most:
            self.wrong(key, f"'{key}' has to be from {least} to {most:,}, not {value}")
            return default
        return int(value)

    def amount(self, key: str, expected: str) -> float:
        """Return a number greater than zero, or 0 where there is none; *expected* says what it counts."""
        value = self._of_kind(key, (int, float), expected)
        if value is not None and not (value > 0 and isfinite(value)):
            self.wrong(key, f"'{key}' has to be greater than zero")
            return 0.0
        return float(value or 0)

    def duration(self, key: str, default: D, *, zero: bool = False) -> float | D:
        """Return seconds."""
        if key in self._data and isinstance(number := self._data[key], int | float):
            self.wrong(
                key, f"'{key}' has to be a duration, not {kind(number)}", f"write {number}s or {number}m"
            )
            return default
        value = self._of_kind(key, str, "a duration such as 30m")
        if value is None:
            return default
        if "${{" in value:
            self.wrong(key, f"expressions are not evaluated in '{key}'", "write a duration such as 30m")
            return default
        try:
            amount = seconds(value)
        except ValueError as error:
            self.wrong(key, str(error))
            return default
        if not amount and not zero:
            self.wrong(key, f"'{key}' has to be longer than nothing")
            return default
        return amount

    def choice(self, key: str, options: Sequence[str], default: str) -> str:
        value = self._of_kind(key, str, f"one of {', '.join(options)}")
        if value is None:
            return default
        if value not in options:
            self.wrong(key, f"'{key}' cannot be {quoted(value)}", did_you_mean(value, options))
            return default
        return str(value)

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, without those that are none."""
        value = self._of_kind(key, list, "a list of texts") or []
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self.report.at_value((*self.path, key, index), f"a text is needed, not {kind(item)}")
        return [item for item in value if isinstance(item, str)]

    def map(self, key: str) -> dict[str, Any]:
        """Return a map of names to anything, or an empty one."""
        value = self._data.get(key)
        if key in self._data and not isinstance(value, dict):
            hint = (
                f"write '{key}' as a map, each entry under its own name" if isinstance(value, list) else None
            )
            self.wrong(key, f"'{key}' has to be a map, not {kind(value)}", hint)
        return value if isinstance(value, dict) else {}

    def names(self, key: str, options: Sequence[str], noun: str) -> frozenset[str]:
        """Return those of *options* that a list names; *noun* is what each of them is."""
        given = self.texts(key)
        for index, name in enumerate(given):
            if name not in options:
                path = (*self.path, key, index)
                self.report.at_value(path, f"unknown {noun} {quoted(name)}", did_you_mean(name, options))
        return frozenset(given) & frozenset(options)

    def value(self, key: str, roots: Collection[str] = ROOTS) -> TemplateValue:
        """Return a value that may hold expressions, which start from *roots*."""
        return read_value(self._data.get(key), (*self.path, key), self.report, roots)


def read_value(template: Any, path: Path, report: Report, roots: Collection[str] = ROOTS) -> TemplateValue:
    """Return what stands at *path* as a value that may hold expressions; those that are wrong are told."""
    return template_value(template, lambda place, error: report.of_expression((*path, *place), error), roots)


def check_name(path: Path, noun: str, report: Report) -> None:
    """Check that what stands at *path* has a name that expressions can write."""
    name = str(path[-1])
    if _IDENTIFIER.fullmatch(name):
        return
    better = re.sub(r"[^A-Za-z0-9_]", "_", name)
    is_near = name.isascii() and _IDENTIFIER.fullmatch(better)
    hint = better if is_near else "letters a to z, digits and _, first a letter, at most 64"
    report.at_key(path, f"{quoted(name)} cannot be the name of {noun}", f"write {hint}")


def _instead(data: Any, known: Sequence[str], short: str | None) -> str:
    if short is not None and isinstance(data, str | int) and not isinstance(data, bool):
        value = f"'{data}'" if isinstance(data, str) and not re.fullmatch(r"[\w./-]+", data) else data
        return f"write {{{short}: {value}}}"
    return f"keys: {listed(known)}"


def _hint(value: Any, types: type | tuple[type, ...]) -> str | None:
    if isinstance(value, str) and "${{" in value:
        return "expressions are not evaluated here"
    if types is bool and isinstance(value, str) and value.lower() in ("yes", "on", "no", "off"):
        return f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    if types is str and isinstance(value, int | float | bool):
        return "quote it"
    if types is list and isinstance(value, str):
        return f"write [{value}]"
    return None
