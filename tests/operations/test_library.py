"""The files that workflows are read from: alone, together, with the secrets that are configured."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.definition.catalog import Catalog
from orchestrator.operations.plans import catalog
from orchestrator.operations.workflows import Library, known_secrets, read

CHILD = "name: child\nsteps: {s: {uses: core/sleep, with: {duration: 1s}}}\n"
PARENT = "name: parent\nsteps: {s: {uses: core/run_workflow, with: {workflow: child}}}\n"

Put = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def ours() -> Catalog:
    """Nothing but operations of our own."""
    return catalog({})


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file into the folder of workflows."""

    def put(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return put


def told(problems: object) -> list[str]:
    assert isinstance(problems, list | tuple)
    return [problem.message for problem in problems]


def test_a_folder_has_to_hold_the_workflows_that_its_files_name(
    ours: Catalog, put: Put, tmp_path: Path
) -> None:
    parent = put("parent.yaml", PARENT)

    assert told(read([tmp_path], ours).problems) == ["there is no workflow 'child'"]
    assert told(read([parent], ours).problems) == []

    put("child.yaml", CHILD)

    assert told(read([tmp_path], ours).problems) == []


def test_a_child_that_is_wrong_itself_is_one_problem(ours: Catalog, put: Put, tmp_path: Path) -> None:
    put("parent.yaml", PARENT)
    put("child.yaml", CHILD.replace("1s", "soon"))

    found = read([tmp_path], ours)

    assert [Path(problem.file).name for problem in found.problems] == ["child.yaml"]
    assert list(found.workflows) == ["parent"]


def test_a_text_that_is_in_no_file_is_checked_against_the_others(ours: Catalog, put: Put) -> None:
    library = Library([put("child.yaml", CHILD).parent], ours)
    library.reload()

    assert told(library.check(PARENT)) == []
    assert told(library.check(PARENT.replace("child", "chld"))) == ["there is no workflow 'chld'"]


def test_a_folder_that_is_not_there_has_no_line(ours: Catalog, tmp_path: Path) -> None:
    (problem,) = read([tmp_path / "none"], ours).problems

    assert str(problem) == f"{tmp_path / 'none'}: no such file or folder"
    assert (problem.line, problem.column) == (None, None)


def test_of_secrets_definitions_know_names_and_what_they_are_good_for() -> None:
    secrets = {"shop": SecretStr("plain text"), "partner": SecretStr("whsec_AAAAAAAAAAAAAAAAAAAAAAAA")}

    assert known_secrets(secrets) == {"shop": False, "partner": True}


def test_a_secret_that_is_not_configured_is_a_problem(ours: Catalog, put: Put) -> None:
    hook = "triggers: {webhook: {verify: {scheme: standard, secret: shop}}}\n"
    file = put("child.yaml", CHILD + hook)

    assert told(read([file], ours, {}).problems) == ["there is no secret 'shop'"]
    assert told(read([file], ours, {"shop": False}).problems) == [
        "the secret 'shop' is none of Standard Webhooks"
    ]
    assert told(read([file], ours, {"shop": True}).problems) == []


def test_the_schema_for_editors_is_made_once(ours: Catalog, tmp_path: Path) -> None:
    library = Library([tmp_path], ours)

    assert library.schema() is library.schema()
