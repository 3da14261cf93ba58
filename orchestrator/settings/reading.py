"""
Reads the layers that settings are made of: the file, then the environment.

Each layer is brought into the shape of the file's tables first, secrets that it gives
as files included, so that whichever layer gives a setting last has the word, however it
gives it. Then the layers are laid over each other and validated once.
"""

import tomllib
from collections.abc import Iterator, Mapping
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from orchestrator.errors import SettingsError
from orchestrator.settings.places import (
    DEFAULT_FILE,
    PREFIX,
    Places,
    SettingPath,
    did_you_mean,
    error_text,
    explain,
    holds_secret,
    variable,
)
from orchestrator.settings.schema import Settings

CONFIG_VARIABLE = "ORCHESTRATOR_CONFIG"
NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "ORCHESTRATOR_SERVER", "ORCHESTRATOR_API_KEY"})
"""Variables of the commands, which share the prefix and are no settings."""

BY_NAME = {"providers": 99, "secrets": 2}
"""Tables whose keys are names that the operator chose, and how deep a path into each may lead."""

Table = dict[str, Any]


def load(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """
    Return the settings of *config* and *environ*, which wins.

    Without *config* the file is what ORCHESTRATOR_CONFIG names, else `orchestrator.toml` in the
    working directory if there is one. An empty variable counts as not set.
    Errors:  SettingsError with every problem, each on a line of its own with its place.
    """
    problems: list[str] = []
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
    path = config or Path(given.get(CONFIG_VARIABLE, DEFAULT_FILE))
    is_optional = config is None and CONFIG_VARIABLE not in given
    variables: dict[SettingPath, str] = {}
    from_file = _with_secrets(_read_file(path, is_optional, problems), Places(str(path)), problems)
    from_environment = _read_environment(given, variables, problems)
    places = Places(str(path), variables)
    from_environment = _with_secrets(from_environment, places, problems)
    settings = _validated(_laid_over(from_file, from_environment), places, problems)
    if settings is None or problems:
        raise SettingsError("\n".join(problems))
    return settings


def check_variables(environ: Mapping[str, str]) -> None:
    """
    Look for misspelt variables on behalf of a command that reads no settings.

    Errors:  SettingsError, naming each.
    """
    given = [name for name, text in sorted(environ.items()) if name.startswith(PREFIX) and text]
    unknown = [
        _unknown_variable(name) for name in given if name not in NOT_SETTINGS and not _is_known(_path(name))
    ]
    if unknown:
        raise SettingsError("\n".join(unknown))


def known_paths() -> Iterator[SettingPath]:
    """Yield the path of every setting that is not in a table of names the operator chose, in order."""
    for name, info in Settings.model_fields.items():
        if _is_table(info.annotation):
            yield from ((name, inner) for inner in _annotation((name,)).model_fields)
        elif name not in BY_NAME:
            yield (name,)


def _validated(table: Table, places: Places, problems: list[str]) -> Settings | None:
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        problems += explain(error, Settings, places)
        return None
    settings._places = places
    return settings


def _laid_over(below: Table, above: Table) -> Table:
    """Return both as one, where *above* wins; tables on both sides become one table."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = (
            _laid_over(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
        )
    return merged


# --- the file --------------------------------------------------------------------------------


def _read_file(path: Path, is_optional: bool, problems: list[str]) -> Table:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if not is_optional:
            problems.append(f"{path}: there is no such file")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path}: not valid TOML: {error}")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error_text(error)}")
    return {}


# --- the environment -------------------------------------------------------------------------


def _read_environment(
    given: Mapping[str, str], variables: dict[SettingPath, str], problems: list[str]
) -> Table:
    """Return what *given* sets as tables, and note in *variables* which one set what."""
    table: Table = {}
    # Shorter paths first: a variable for one key is laid over one that gives its whole table.
    for name, text in sorted(given.items(), key=lambda item: (item[0].count("__"), item[0])):
        if name in NOT_SETTINGS:
            continue
        path = _path(name)
        if not _is_known(path):
            problems.append(_unknown_variable(name))
            continue
        try:
            value = _value(path, text)
        except ValueError as error:
            problems.append(f"environment: {name}: {error}")
            continue
        variables[path] = name
        variables.setdefault((*path[:-1], path[-1].removesuffix("_file")), name)
        for key in reversed(path):
            value = {key: value}
        table = _laid_over(table, value)
    return table


def _path(name: str) -> SettingPath:
    return tuple(name.removeprefix(PREFIX).lower().split("__"))


def _is_known(path: SettingPath) -> bool:
    if path[0] in BY_NAME:
        return all(path) and len(path) <= BY_NAME[path[0]]
    tables = {known[:-1] for known in known_paths()} - {()}
    return path in tables or path in known_paths() or path in _secret_file_paths()


def _secret_file_paths() -> set[SettingPath]:
    fields = ((name, info.annotation) for name, info in Settings.model_fields.items() if name not in BY_NAME)
    return {(f"{name}_file",) for name, annotation in fields if holds_secret(annotation)}


def _unknown_variable(name: str) -> str:
    known = [variable(path) for path in known_paths()] + sorted(NOT_SETTINGS)
    # A higher bar than for keys, because the prefix alone makes all of them alike.
    return f"environment: {name} is not a setting{did_you_mean(name, known, cutoff=0.85)}"


def _value(path: SettingPath, text: str) -> Any:
    """Return what *text* means at *path*. Errors: ValueError, which never quotes the text."""
    if path[0] == "providers":
        return _connection_value(len(path), text)
    if path[0] == "secrets":
        return text if len(path) > 1 else _secrets_value(text)
    if path in _secret_file_paths() or _is_text(path):
        return text
    try:
        return loads(text)
    except JSONDecodeError:
        example = "true or false" if _annotation(path) is bool else 'a list ["…"] or a table {"…": "…"}'
        raise ValueError(f"this setting is given as JSON: {example}") from None


def _connection_value(depth: int, text: str) -> Any:
    """
    Return *text* as a value of a connection, whose types are not known here.

    A connection's own keys are text unless they look like a list or a table, so that a key
    made of digits stays a key; their models read numbers and flags from text. Deeper down
    (`prices`, `budget`) whatever reads as JSON is that.
    """
    if depth > 3 or text[0] in "[{":
        try:
            return loads(text)
        except JSONDecodeError:
            pass
    if depth < 3:
        raise ValueError('a table is given as JSON, such as {"pizi": {"api_key": "…"}}')
    return text


def _secrets_value(text: str) -> Any:
    try:
        return loads(text)
    except JSONDecodeError:
        raise ValueError('a table is given as JSON, such as {"shop": "…"}') from None


def _is_text(path: SettingPath) -> bool:
    annotation = _annotation(path)
    return annotation is not bool and get_origin(annotation) is not list and not _is_table(annotation)


def _annotation(path: SettingPath) -> Any:
    model: Any = Settings
    for name in path:
        model = model.model_fields[name].annotation
    return model


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


# --- secrets in files ------------------------------------------------------------------------


def _with_secrets(layer: Table, places: Places, problems: list[str]) -> Table:
    """Return *layer* with every secret that it gives as a file in its place."""
    read = _from_files(layer, (), {path[0] for path in _secret_file_paths()}, places, problems)
    if isinstance(shared := read.get("secrets"), dict):
        read["secrets"] = _from_files(shared, ("secrets",), None, places, problems)
    connections = read.get("providers")
    if isinstance(connections, dict):
        read["providers"] = {
            name: _from_files(table, ("providers", name), None, places, problems)
            if isinstance(table, dict)
            else table
            for name, table in connections.items()
        }
    return read


def _from_files(
    table: Table, at: SettingPath, names: set[str] | None, places: Places, problems: list[str]
) -> Table:
    """Return *table* with `x` in place of `x_file`, for every such key or only those in *names*."""
    read = dict(table)
    for key in table:
        if not key.endswith("_file") or (names is not None and key not in names):
            continue
        path, secret = read.pop(key), key.removesuffix("_file")
        if secret in table:
            problems.append(f"{places.of((*at, key))}: '{secret}' is given too; give one of the two")
        elif isinstance(path, str):
            text = _secret(Path(path), places.of((*at, key)), problems)
            # Our own secrets are lists, one a line; those of a connection are single.
            read[secret] = text if at else text.split()
        else:
            problems.append(f"{places.of((*at, key))}: write the path of a file")
    return read


def _secret(path: Path, place: str, problems: list[str]) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{place}: {path}: {error_text(error)}")
        return ""
    if not text:
        problems.append(f"{place}: {path}: the file is empty")
    return text
