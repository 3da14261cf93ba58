"""
Reads what `run` is told as `-i key=value`, by the JSON Schemas of the workflow's inputs.

    -i gender=female              text, because the schema says string
    -i scale=2                    JSON, because it says anything else
    -i photo=@shirt.jpg           the file is uploaded; `@@` begins a text with @
    -i photos=@a.jpg -i photos=@b.jpg    a key given again appends to an array
"""

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

from orchestrator.cli.trouble import Trouble

Schema = Mapping[str, Any]
Upload = Callable[[Path], str]
"""Sends a file to the server and returns its reference."""


def read_pairs(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Return each `key=value` as a pair. Errors: Trouble."""
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise Trouble(f"{option} '{text}' is not key=value, such as {option} gender=female")
        pairs.append((key, value))
    return pairs


def read_labels(texts: Sequence[str]) -> dict[str, str]:
    """Return labels by name. Errors: Trouble, also for a name that is given two values."""
    labels: dict[str, str] = {}
    for name, value in read_pairs(texts, "--label"):
        if labels.setdefault(name, value) != value:
            raise Trouble(
                f"--label '{name}' is given both '{labels[name]}' and '{value}'; a label has one value"
            )
    return labels


def read_targets(texts: Sequence[str]) -> list[Any]:
    """Return whom a run shall tell of its end, each a URL or the JSON object of one. Errors: Trouble."""
    targets = [_json(text) if text.lstrip().startswith("{") else text for text in texts]
    if _NOT_JSON in targets:
        text = texts[targets.index(_NOT_JSON)]
        raise Trouble(f"--notify '{text}' is neither a URL nor JSON, such as https://example.com/done")
    return targets


def read_file(path: Path | None) -> dict[str, Any]:
    """Return the inputs that a JSON or YAML file holds, `-` being standard input. Errors: Trouble."""
    if path is None:
        return {}
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Trouble(f"--inputs {path}: is not UTF-8 text") from error
    except OSError as error:
        raise Trouble(f"--inputs {path}: cannot be read: {error.strerror}") from error
    # JSON is YAML as well, but read as such it takes a hundred times as long.
    data = _json(text)
    if data is _NOT_JSON:
        data = _yaml(path, text)
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise Trouble(f"--inputs {path}: holds no inputs by name, such as {{gender: female}}")
    if strange := [complaint for key, value in data.items() for complaint in _strange(value, key)]:
        raise Trouble("\n".join(f"--inputs {path}: {complaint}" for complaint in strange))
    return data


def _strange(value: Any, place: str, depth: int = 0) -> Iterator[str]:
    """Yield a complaint for each value that a file can hold and JSON has no word for."""
    if depth > _DEPTH_MAX:
        yield f"{place}: is nested more than {_DEPTH_MAX} levels deep"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield f"{place}: the key {key} is no text; quote it"
            yield from _strange(inner, f"{place}.{key}", depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strange(inner, f"{place}[{number}]", depth + 1)
    elif isinstance(value, date):
        yield f"{place}: is read as a date; quote it: '{value}'"
    elif isinstance(value, float) and not isfinite(value):
        yield f"{place}: {value} is no number that JSON knows"
    elif not isinstance(value, str | int | float | None):
        yield f"{place}: JSON has nothing for a {type(value).__name__}"


def _yaml(path: Path, text: str) -> Any:
    # Imported here: YAML is needed by nobody else.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except RecursionError as error:
        raise Trouble(f"--inputs {path}: is nested too deep") from error
    except YAMLError as error:
        raise Trouble(f"--inputs {path}: neither JSON nor YAML: {_first_mark(error)}") from error


def data_uri(path: Path) -> str:
    """Return a file as a text that can stand in its place where nothing shall be stored. Errors: Trouble."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Trouble(f"{path}: cannot be read: {error.strerror}") from error
    return f"data:;base64,{b64encode(data).decode()}"


def build(pairs: Sequence[tuple[str, str]], schemas: Mapping[str, Schema], upload: Upload) -> dict[str, Any]:
    """
    Return the inputs that *pairs* give.

    Nothing is uploaded before every pair has been looked at.
    Errors:  Trouble with every problem, each on a line.
    """
    values: dict[str, list[Any]] = {}
    problems: list[str] = []
    for key, text in pairs:
        try:
            values.setdefault(key, []).append(_value(key, text, schemas))
        except ValueError as error:
            problems.append(f"inputs.{key}: {error}")
    for key, given in values.items():
        if len(given) > 1 and not _takes_array(schemas.get(key, {})):
            problems.append(f"inputs.{key}: is given {len(given)} times, but takes one value")
    if problems:
        raise Trouble("\n".join(problems))
    return {key: _joined(given, schemas[key], upload) for key, given in values.items()}


class _File(str):
    """The path of a file that is to be uploaded."""


def _value(key: str, text: str, schemas: Mapping[str, Schema]) -> Any:
    """Return what *text* means, a `_File` where it names one. Errors: ValueError."""
    if key not in schemas:
        raise ValueError(f"the workflow has no such input{_suggestion(key, list(schemas))}")
    schema = schemas[key]
    if text.startswith("@") and not text.startswith("@@"):
        return _file(text[1:])
    if text.startswith("@@"):
        text = text[1:]
    if "array" in _types(schema) and not _says_string(schema):
        whole = _json(text) if text.lstrip().startswith("[") else None
        return whole if isinstance(whole, list) else _scalar(text, _items(schema))
    return _scalar(text, schema)


def _file(name: str) -> _File:
    if not name:
        raise ValueError("@ is followed by the path of a file; a text that begins with @ is written @@…")
    if Path(name).is_dir():
        raise ValueError(f"'{name}' is a folder; name a file in it")
    if not Path(name).is_file():
        raise ValueError(f"there is no file '{name}'; a text that begins with @ is written @@…")
    if Path(name).stat().st_size == 0:
        raise ValueError(f"the file '{name}' is empty")
    return _File(name)


def _scalar(text: str, schema: Schema) -> Any:
    if _says_string(schema):
        return text
    value = _json(text)
    if value is not _NOT_JSON:
        return value
    if not _types(schema):
        return text
    expected = " or ".join(_types(schema))
    raise ValueError(f"'{text}' is not JSON, and the input takes {expected}")


_NOT_JSON: Any = object()
_DEPTH_MAX = 64
"""Levels of lists and objects; the server takes no more."""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _joined(given: Sequence[Any], schema: Schema, upload: Upload) -> Any:
    uploaded = [upload(Path(value)) if isinstance(value, _File) else value for value in given]
    if len(uploaded) == 1 and not _wraps(uploaded[0], schema):
        return uploaded[0]
    array: list[Any] = []
    for value in uploaded:
        array += value if isinstance(value, list) else [value]
    return array


def _wraps(value: Any, schema: Schema) -> bool:
    """Return whether one value that is no array stands for an array with it alone."""
    return "array" in _types(schema) and not _says_string(schema) and not isinstance(value, list)


def _takes_array(schema: Schema) -> bool:
    return not _types(schema) or "array" in _types(schema)


def _items(schema: Schema) -> Schema:
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {}


def _types(schema: Schema) -> list[str]:
    """Return the types that a schema names, or that its keywords give away; none where it may be anything."""
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [str(name) for name in named]
    values = schema.get("enum")
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return ["string"]
    return ["string"] if isinstance(schema.get("const"), str) else []


def _says_string(schema: Schema) -> bool:
    return "string" in _types(schema)


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f" (there are: {', '.join(known)})" if known else " (it takes none)"


def _first_mark(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None:
        return str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
