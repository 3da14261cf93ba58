"""Where a setting came from, and how a problem with it is told: its place, what is wrong, what to do."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from orchestrator.wording import complaint

DEFAULT_FILE = "orchestrator.toml"
PREFIX = "ORCHESTRATOR_"

SettingPath = tuple[str, ...]
"""The keys that lead to a setting: ("listen", "public")."""


def variable(path: SettingPath) -> str:
    """Return the environment variable that sets what *path* leads to."""
    return PREFIX + "__".join(path).upper()


@dataclass(frozen=True, slots=True)
class Places:
    """The file that was read, and which settings came from which variable instead."""

    file: str = DEFAULT_FILE
    variables: Mapping[SettingPath, str] = field(default_factory=dict)

    def variable_of(self, path: SettingPath) -> str | None:
        """Return the variable that gave *path* or what lies around it, the nearest one."""
        for length in range(len(path), 0, -1):
            if name := self.variables.get(path[:length]):
                return name
        return None

    def table(self, path: SettingPath) -> str:
        """Return the place of a table in the file: `orchestrator.toml: [listen]`."""
        return f"{self.file}: [{'.'.join(path)}]" if path else f"{self.file}:"

    def of(self, path: SettingPath) -> str:
        """Return where the value at *path* was given."""
        if name := self.variable_of(path):
            return f"environment: {name}"
        return f"{self.table(path[:-1])} {path[-1]}" if path else self.file


def did_you_mean(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """Return ` (did you mean 'x'?)` for a name close to a known one, else nothing."""
    close = get_close_matches(name, known, n=1, cutoff=cutoff)
    return f" (did you mean '{close[0]}'?)" if close else ""


def explain(
    error: ValidationError, model: type[BaseModel], places: Places, at: SettingPath = ()
) -> Iterator[str]:
    """
    Yield a line for every problem in *error*, without the values that were given.

    Shape:   *model* was validated from the table at *at*.
    """
    for detail in error.errors(include_url=False, include_input=False):
        # pydantic names a bad key of a mapping as (…, name, "[key]").
        inside = tuple(str(part) for part in detail["loc"] if part != "[key]")
        said, _ = complaint(detail["type"], detail["msg"], detail.get("ctx", {}), None, show=False)
        yield _sentence(detail["type"], said, inside, model, places, at)


def error_text(error: OSError | UnicodeDecodeError) -> str:
    """Return what went wrong with a file, without its path and without what it holds."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "is not UTF-8 text"


def _sentence(
    kind: str, message: str, inside: SettingPath, model: type[BaseModel], places: Places, at: SettingPath
) -> str:
    path = at + inside
    if kind == "extra_forbidden":
        return _unknown_key(path, _fields(model, inside[:-1]), places)
    if kind == "missing":
        return _missing_key(path, _is_secret(model, inside), places)
    if kind in ("dict_type", "model_type"):
        return f"{places.of(path)}: this is a table, not a single value"
    return f"{places.of(path)}: {message}"


def _unknown_key(path: SettingPath, known: Collection[str], places: Places) -> str:
    if name := places.variable_of(path):
        return f"environment: {name}: unknown key '{path[-1]}'{did_you_mean(path[-1], known)}"
    return f"{places.table(path[:-1])} unknown key '{path[-1]}'{did_you_mean(path[-1], known)}"


def _missing_key(path: SettingPath, is_secret: bool, places: Places) -> str:
    ways = [f"'{path[-1]}_file'"] if is_secret else []
    ways.append(variable(path))
    return f"{places.table(path[:-1])} needs '{path[-1]}' (or {' or '.join(ways)})"


def _fields(model: type[BaseModel], inside: SettingPath) -> Mapping[str, Any]:
    """Return the fields of the model that *inside* leads to, or none where that is no model."""
    for name in inside:
        info = model.model_fields.get(name)
        if info is None or not (isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)):
            return {}
        model = info.annotation
    return model.model_fields


def _is_secret(model: type[BaseModel], inside: SettingPath) -> bool:
    info = _fields(model, inside[:-1]).get(inside[-1])
    return info is not None and holds_secret(info.annotation)


def holds_secret(annotation: Any) -> bool:
    """Whether a field so annotated is a secret, or a list of secrets."""
    return annotation is SecretStr or any(holds_secret(part) for part in get_args(annotation))
