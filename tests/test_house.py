"""The rules of the house that a machine can hold: pages, tables and names must agree with the code."""

import ast
import importlib
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

import orchestrator
from orchestrator import errors, providers
from orchestrator.providers.base import ConnectionSettings
from orchestrator.settings import Settings, load
from orchestrator.settings.places import holds_secret
from orchestrator.settings.reading import BY_NAME, known_paths
from orchestrator.telemetry.events import CONTEXT, EVENTS

TOP = Path(__file__).parent.parent
PACKAGE = TOP / "orchestrator"
EXAMPLE = TOP / "deploy" / "orchestrator.example.toml"

NOT_OURS = {"vendor", "node_modules", "__pycache__", "data", "dist"}
TEXT = {".css", ".html", ".js", ".json", ".md", ".py", ".service", ".sql", ".toml", ".txt", ".yaml", ".yml"}
TEXT_WITHOUT_SUFFIX = {"Dockerfile", "Makefile", "run"}


def sources(folder: Path = PACKAGE) -> list[Path]:
    """Return every Python file of *folder*."""
    return sorted(path for path in folder.rglob("*.py") if not NOT_OURS & set(path.parts))


def texts() -> list[Path]:
    """Return every file of the project that people read or write."""
    top = [path for path in TOP.iterdir() if path.is_file() and not path.name.startswith(".")]
    inside = [
        path
        for folder in ("orchestrator", "tests", "deploy", "docs", ".ci")
        for path in (TOP / folder).rglob("*")
        if path.is_file() and not NOT_OURS & set(path.relative_to(TOP).parts)
    ]
    return sorted(p for p in [*top, *inside] if p.suffix in TEXT or p.name in TEXT_WITHOUT_SUFFIX)


def named(path: Path) -> str:
    return str(path.relative_to(TOP))


# --- what things are for ---------------------------------------------------------------------


@pytest.mark.parametrize("path", sources(), ids=named)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""

    assert len(docstring.split()) >= 3, f"{named(path)} needs a docstring"


def test_every_room_says_what_it_is_for() -> None:
    rooms = {path.parent for path in sources()}

    silent = [named(room) for room in sorted(rooms) if not (room / "__init__.py").is_file()]

    assert not silent, "these rooms have no __init__.py with a sentence"


def test_no_module_is_named_after_nothing() -> None:
    empty = {"utils", "util", "common", "helpers", "misc", "shared"}

    assert not [named(path) for path in sources() if path.stem in empty or path.parent.name in empty]


# --- settings --------------------------------------------------------------------------------

WITHOUT_DEFAULT = {("public_url",), ("secret_keys",)} | {
    ("retention", name) for name in ("runs", "deliveries", "artifacts")
}
"""What the example can only illustrate."""


def example_text() -> str:
    """Return the example with every setting in use: prose has a space after its #, settings have none."""
    return re.sub(r"(?m)^#(?=[a-z\[])", "", EXAMPLE.read_text())


def kinds() -> dict[str, type[ConnectionSettings]]:
    """Return the settings class of every provider kind there is."""
    for module in pkgutil.walk_packages(providers.__path__, f"{providers.__name__}."):
        importlib.import_module(module.name)
    found = {cls.model_fields["kind"].default: cls for cls in ConnectionSettings.__subclasses__()}
    return {kind: cls for kind, cls in found.items() if cls.__module__.startswith(f"{providers.__name__}.")}


def test_the_example_shows_every_setting_and_nothing_else() -> None:
    tables = tomllib.loads(example_text())

    shown = {
        (name, inner) if isinstance(value, dict) else (name,)
        for name, value in tables.items()
        if name not in BY_NAME
        for inner in (value if isinstance(value, dict) else [name])
    }

    assert shown == set(known_paths())
    assert set(BY_NAME) <= set(tables)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text(example_text().replace("api_key_file", "#").replace("shop_file", "#"))

    shown, defaults = load(file, {}), Settings()

    for path in set(known_paths()) - WITHOUT_DEFAULT:
        assert value_at(shown, path) == value_at(defaults, path), ".".join(path)


def test_the_example_as_it_is_changes_nothing() -> None:
    assert load(EXAMPLE, {}).model_dump() == Settings().model_dump()


def value_at(settings: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        settings = getattr(settings, name)
    return settings


def test_the_example_shows_every_setting_of_connections() -> None:
    tables = tomllib.loads(example_text())["providers"]

    keys = {key.removesuffix("_file") for table in tables.values() for key in table}

    assert set(ConnectionSettings.model_fields) <= keys


def test_each_kind_takes_its_table_of_the_example() -> None:
    tables = tomllib.loads(example_text())["providers"]

    for name, table in tables.items():
        if (model := kinds().get(table.get("kind", name))) is None:
            continue
        keys = {key.removesuffix("_file") for key in table}
        needed = {key for key, info in model.model_fields.items() if info.is_required()}
        assert keys <= set(model.model_fields), f"[providers.{name}] shows a key that does not exist"
        assert needed <= keys, f"[providers.{name}] does not show what the kind needs"


def test_every_kind_of_provider_has_a_table_in_the_example() -> None:
    assert set(kinds()) <= set(tomllib.loads(example_text())["providers"])


def test_every_credential_is_a_secret() -> None:
    plain = [
        f"{kind}.{name}"
        for kind, model in kinds().items()
        for name, info in model.model_fields.items()
        if re.search(r"key$|secret|password|token", name) and not holds_secret(info.annotation)
    ]

    assert not plain, f"these would be shown; make them {SecretStr.__name__}"


# --- log lines -------------------------------------------------------------------------------


class LogCall(NamedTuple):
    """One place in the code that logs."""

    place: str
    level: str
    name: str | None
    fields: set[str]


def log_calls() -> Iterator[LogCall]:
    """Yield every call such as `log.info("job.submitted", task_id=…)` of the package."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            receiver = ast.unparse(node.func.value).rpartition(".")[2]
            if node.func.attr not in levels or receiver.lower().strip("_") not in (
                "log",
                "logger",
                "logger()",
            ):
                continue
            first = node.args[0] if node.args else None
            name = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            level = "error" if node.func.attr in ("exception", "critical") else node.func.attr
            fields = {keyword.arg for keyword in node.keywords if keyword.arg}
            yield LogCall(f"{named(path)}:{node.lineno}", level, name, fields)


def test_the_table_of_log_events_is_sorted_and_well_named() -> None:
    names = [event.name for event in EVENTS]

    assert names == sorted(set(names))
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(event.sentence.endswith(".") for event in EVENTS)
    assert all(not CONTEXT & set(event.fields) for event in EVENTS)


def test_whatever_is_logged_stands_in_the_table() -> None:
    table = {event.name: event for event in EVENTS}

    for call in log_calls():
        assert call.name is not None, f"{call.place}: the name of a log event is written out"
        assert call.name in table, f"{call.place}: {call.name!r} is not in telemetry/events.py"
        event = table[call.name]
        assert call.level == event.level, f"{call.place}: {call.name} has level {event.level}"
        unknown = call.fields - set(event.fields) - CONTEXT - {"exc_info"}
        assert not unknown, f"{call.place}: {call.name} has no fields {sorted(unknown)}"


LOGGED_OTHERWISE = {"library.logged"}
"""What libraries say, at their own level."""


def test_whatever_stands_in_the_table_is_logged() -> None:
    logged = {call.name for call in log_calls()}

    assert {event.name for event in EVENTS} - logged <= LOGGED_OTHERWISE


# --- other tables ----------------------------------------------------------------------------


def test_the_tree_in_the_docstring_of_errors_is_the_tree_of_the_classes() -> None:
    drawn: set[tuple[str, str]] = set()
    above: list[tuple[int, str]] = []
    for indent, name in re.findall(r"(?m)^( *)([A-Z]\w+)(?=  |$)", errors.__doc__ or ""):
        above = [(width, parent) for width, parent in above if width < len(indent)]
        drawn.add((above[-1][1] if above else "Exception", name))
        above.append((len(indent), name))

    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]

    assert drawn == {(cls.__bases__[0].__name__, cls.__name__) for cls in classes}


def test_every_query_that_is_called_exists() -> None:
    declared = {
        name
        for path in PACKAGE.rglob("*.sql")
        for name in re.findall(r"(?m)^-- name: *(\w+)", path.read_text())
    }

    called = {
        name
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        for name in query_names(node)
    }

    assert called <= declared


def query_names(node: ast.AST) -> Iterator[str]:
    """Yield the name in `queries["name"]` and `sql("name")`."""
    if isinstance(node, ast.Subscript):
        receiver, key = ast.unparse(node.value), node.slice
    elif isinstance(node, ast.Call) and node.args:
        receiver, key = ast.unparse(node.func), node.args[0]
    else:
        return
    is_ours = re.fullmatch(r"_?(?:sql|queries|statements)", receiver.rpartition(".")[2], re.IGNORECASE)
    if is_ours and isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]

    assert project["version"] == orchestrator.__version__
    assert f"## [{orchestrator.__version__}]" in (TOP / "CHANGELOG.md").read_text()


def test_what_the_pages_tell_to_make_can_be_made() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (TOP / "Makefile").read_text()))
    pages = [path for path in texts() if path.suffix == ".md"]

    told = {word for page in pages for word in re.findall(r"(?m)(?:`|\$ )make ([a-z]+)", page.read_text())}

    assert told <= targets


def test_every_test_that_the_page_on_reliability_names_exists() -> None:
    page = (TOP / "docs" / "reliability.md").read_text("utf-8")

    named_tests = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page))

    assert len(named_tests) > 10
    for file, test in sorted(named_tests):
        assert re.search(rf"(?m)^(?:async )?def {test}\(", (TOP / file).read_text()), f"{file}::{test}"


# --- what no file may say --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        (r"\b(?:TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\))", "what is left to do has the number of an issue"),
        (r"(?<![\w.\-/>}])/(?:work|home|root|tmp|Users)" + r"/", "no path of somebody's machine"),
        (r"^(?:<{7}|>{7}) ", "no mark of a merge conflict"),
    ],
)
def test_no_file_holds(pattern: str, rule: str) -> None:
    found = [
        f"{named(path)}:{number}"
        for path in texts()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]

    assert not found, rule
