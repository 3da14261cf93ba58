"""The definitions that runs can be started of: read from a folder, all their problems told at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orchestrator.definition.catalog import Catalog, Secrets
from orchestrator.definition.children import Signatures
from orchestrator.definition.editor_schema import editor_schema
from orchestrator.definition.loader import load, survey
from orchestrator.definition.workflow import Workflow
from orchestrator.errors import NotFound, Problem
from orchestrator.signatures import key_of
from orchestrator.wording import did_you_mean

SUFFIXES = (".yaml", ".yml")
TEST = ".test"
"""Stands before the suffix of files that hold tests; they may lie beside the workflows."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a folder or a list of files holds.

    *files*: which file each workflow came from; *signatures*: of all that have a name, wrong ones too.
    """

    workflows: Mapping[str, Workflow]
    files: Mapping[str, Path]
    problems: Sequence[Problem]
    signatures: Signatures

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]


def read(paths: Sequence[Path], catalog: Catalog, secrets: Secrets | None = None) -> Found:
    """
    Read every definition among *paths*; a folder stands for the YAML files in it.

    Shape:   a file with an error gives no workflow; a name that is taken is an error of the later file.
             Files that come together have to hold the workflows that they name; one alone need not.
    """
    problems: list[Problem] = []
    texts = dict(_texts(_files(paths, problems), problems))
    known = {found.name: found for text in texts.values() if (found := survey(text)) is not None}
    others = None if len(paths) == 1 and paths[0].is_file() else known
    workflows: dict[str, Workflow] = {}
    files: dict[str, Path] = {}
    for path, text in texts.items():
        loaded = load(text, file=str(path), catalog=catalog, secrets=secrets, others=others)
        problems.extend(loaded.problems)
        workflow = loaded.workflow
        if workflow is None:
            continue
        if workflow.name in files:
            message = f"the name '{workflow.name}' is taken by {files[workflow.name]}"
            at = loaded.name_at
            problem = Problem(
                file=str(path), line=at.line, column=at.column, location="name", message=message
            )
            problems.append(problem)
            continue
        workflows[workflow.name], files[workflow.name] = workflow, path
    return Found(workflows, files, problems, known)


def _texts(files: Sequence[Path], problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    for path in files:
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            problems.append(Problem(file=str(path), message="is not UTF-8 text"))
        except OSError as error:
            problems.append(Problem(file=str(path), message=f"cannot be read: {error.strerror}"))


def known_secrets(secrets: Mapping[str, SecretStr]) -> Secrets:
    """Return what definitions may know of the configured secrets: their names, and what each is good for."""
    return {name: _is_standard(secret.get_secret_value()) for name, secret in secrets.items()}


def _is_standard(secret: str) -> bool:
    try:
        key_of(secret)
    except ValueError:
        return False
    return True


def texts(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the text of every file that `read` would read, whatever is wrong with it."""
    for path in _files(paths, []):
        with suppress(OSError):
            yield path.read_text(encoding="utf-8", errors="replace")


def is_test(path: Path) -> bool:
    """Return whether a file holds the tests of a workflow, by its name: `shoot.test.yaml`."""
    return path.suffix in SUFFIXES and path.stem.endswith(TEST)


def tested(path: Path) -> str:
    """Return what the workflow's file beside a test file is called, without its suffix."""
    return path.stem.removesuffix(TEST)


def _files(paths: Sequence[Path], problems: list[Problem]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                child for child in path.iterdir() if child.suffix in SUFFIXES and not is_test(child)
            )
        elif path.exists():
            found.append(path)
        else:
            problems.append(Problem(file=str(path), message="no such file or folder"))
    return found


class Library:
    """The workflows that runs can be started of. Runs that go on keep the definition they began with."""

    def __init__(self, paths: Sequence[Path], catalog: Catalog, secrets: Secrets | None = None) -> None:
        self.catalog, self._secrets = catalog, secrets
        self._schema: dict[str, Any] | None = None
        self._paths = paths
        self._found = Found({}, {}, (), {})

    def reload(self) -> Found:
        """
        Read the files again, and return what was found.

        A file that has errors now leaves what was read from it before in use.
        """
        found, before = read(self._paths, self.catalog, self._secrets), self._found
        broken = {problem.file for problem in found.errors}
        kept = {
            name: workflow
            for name, workflow in before.workflows.items()
            if name not in found.workflows and str(before.files[name]) in broken
        }
        self._found = Found(
            {**found.workflows, **kept},
            {**found.files, **{name: before.files[name] for name in kept}},
            found.problems,
            found.signatures,
        )
        return found

    @property
    def secrets(self) -> Secrets | None:
        """What definitions may know of the configured secrets; None where nobody has told."""
        return self._secrets

    def check(self, text: str) -> Sequence[Problem]:
        """Return everything wrong with a definition that is in no file yet; nothing is kept."""
        others = self._found.signatures
        return load(text, file="", catalog=self.catalog, secrets=self._secrets, others=others).problems

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a workflow, for editors."""
        if self._schema is None:
            self._schema = editor_schema(self.catalog, self._secrets)
        return self._schema

    def get(self, name: str) -> Workflow:
        """Return a workflow. Errors: NotFound, naming those there are."""
        workflow = self._found.workflows.get(name)
        if workflow is None:
            known = did_you_mean(name, sorted(self._found.workflows)) or "there are: none"
            left_out = ", ".join(sorted({Path(problem.file).name for problem in self._found.errors}))
            why = f"; left out for what is wrong in them: {left_out}" if left_out else ""
            raise NotFound(f"no workflow '{name}' ({known}{why})")
        return workflow

    def find(self, name: str) -> Workflow | None:
        """Return a workflow, or None."""
        return self._found.workflows.get(name)

    def all(self) -> list[Workflow]:
        """Return every workflow, by name."""
        return [self._found.workflows[name] for name in sorted(self._found.workflows)]

    def file_of(self, name: str) -> Path | None:
        """Return the file that a workflow came from."""
        return self._found.files.get(name)
