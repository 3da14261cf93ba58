"""`orchestrator validate`: what it prints, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.validate import connected
from orchestrator.providers.registry import KINDS
from orchestrator.settings import Settings

BAD = """\
name: bad
inputs:
  gender: {type: string}
steps:
  model:
    uses: pizi/create_modl
    with: {gender: '${{ inputs.gendr }}'}
  enhance:
    uses: perfekt/enhance
    with: {image: '${{ steps.model.artifacts[0] }}'}
"""

PROBLEMS = """\
bad.yaml:6:11: 'pizi' has no operation 'create_modl' (did you mean 'create_model'?)
bad.yaml:7:25: there is no input 'gendr' (did you mean 'gender'?)
bad.yaml:9:11: there is no connection 'perfekt' (did you mean 'perfect'?)
"""

GOOD = """\
name: good
steps:
  model:
    uses: pizi/create_model
    with: {gender: female}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without settings, with two workflows."""
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "good.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_problem_is_a_line_with_its_place(call: Any) -> None:
    done = call("validate", "bad.yaml")

    assert (done.exit_code, done.stdout, done.stderr) == (1, PROBLEMS, "0 good workflows, 3 errors\n")


def test_a_folder_stands_for_its_files(call: Any) -> None:
    done = call("validate", ".")

    assert (done.exit_code, done.stdout, done.stderr) == (1, PROBLEMS, "1 good workflow, 3 errors\n")


def test_a_good_file_ends_with_0_and_nothing_to_read(call: Any) -> None:
    done = call("validate", "good.yaml")

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "1 good workflow, 0 errors\n")


def test_a_picture_is_told_to_be_no_text(call: Any, folder: Path) -> None:
    (folder / "shirt.yaml").write_bytes(b"\x89PNG\r\n")

    assert call("validate", "shirt.yaml").stdout == "shirt.yaml: is not UTF-8 text\n"


def test_a_folder_without_workflows_is_not_taken_for_good(call: Any, folder: Path) -> None:
    (folder / "empty").mkdir()

    done = call("validate", "empty")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "orchestrator: empty: there is no workflow file in it (.yaml or .yml)\n"


def test_problems_for_machines_are_an_array(call: Any) -> None:
    done = call("validate", "bad.yaml", "--json")

    first = json.loads(done.stdout)[0]
    assert (done.exit_code, done.stderr) == (1, "")
    assert {key: first[key] for key in ("file", "line", "column", "severity")} == {
        "file": "bad.yaml",
        "line": 6,
        "column": 11,
        "severity": "error",
    }


def test_the_connections_of_the_settings_are_those_that_count(call: Any, folder: Path) -> None:
    (folder / "orchestrator.toml").write_text('[providers.pizi_eu]\nkind = "pizi"\n')
    (folder / "good.yaml").write_text(GOOD.replace("pizi/", "pizi_eu/"))

    done = call("validate", "good.yaml")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "there is no connection 'pizi'" in call("validate", "bad.yaml").stdout


def test_a_setting_of_a_connection_that_is_wrong_is_told_with_its_place(call: Any, folder: Path) -> None:
    (folder / "orchestrator.toml").write_text("[providers.pizi]\napi_kee = 'x'\n")

    done = call("validate", "good.yaml")

    assert done.exit_code == 2
    assert "orchestrator.toml: " in done.stderr
    assert "api_kee" in done.stderr


def test_a_kind_that_does_not_exist_is_told_by_name(call: Any, folder: Path) -> None:
    (folder / "orchestrator.toml").write_text("[providers.moon]\n")

    done = call("validate", "good.yaml")

    assert done.exit_code == 2
    assert "providers.moon: there is no kind 'moon' (there are: " in done.stderr


def test_without_settings_every_kind_is_a_connection(call: Any) -> None:
    made = connected(Settings())

    assert {name: connector.kind for name, connector in made.items()} == {name: name for name in KINDS}


def test_the_shipped_workflows_are_good(call: Any) -> None:
    from orchestrator.rehearsal.sandbox import SHIPPED

    done = call("validate", str(SHIPPED), "--strict")

    assert (done.exit_code, done.stdout) == (0, "")


def test_files_that_come_together_know_each_other(call: Any, folder: Path) -> None:
    step = "{uses: core/run_workflow, with: {workflow: god}}"
    (folder / "bad.yaml").write_text(f"name: bad\nsteps: {{s: {step}}}\n")

    together, alone = call("validate", "."), call("validate", "bad.yaml")

    assert together.stdout == "bad.yaml:2:55: there is no workflow 'god' (did you mean 'good'?)\n"
    assert (alone.exit_code, alone.stdout) == (0, "")


def test_a_name_that_is_taken_is_told_where_it_stands(call: Any, folder: Path) -> None:
    (folder / "twin.yaml").write_text(GOOD)

    done = call("validate", "good.yaml", "twin.yaml")

    assert done.stdout == "twin.yaml:1:7: the name 'good' is taken by good.yaml\n"


def test_secrets_are_asked_for_where_there_are_settings(call: Any, folder: Path) -> None:
    hook = "triggers: {webhook: {verify: {scheme: token, secret: shp}}}\n"
    (folder / "good.yaml").write_text(GOOD + hook)
    without = call("validate", "good.yaml")
    (folder / "orchestrator.toml").write_text('[secrets]\nshop = "long enough"\n')

    configured = call("validate", "good.yaml")

    assert without.stdout == ""
    assert configured.stdout == "good.yaml:6:54: there is no secret 'shp' (did you mean 'shop'?)\n"


def test_a_test_file_that_is_named_is_checked_as_one(call: Any, folder: Path) -> None:
    (folder / "good.test.yaml").write_text("cases:\n  - {name: it works, expect: {status: success}}\n")

    done = call("validate", "good.test.yaml")

    assert (done.exit_code, done.stderr) == (1, "0 good test files, 1 error\n")
    assert "good.test.yaml:2:39: 'status' cannot be 'success' (did you mean 'succeeded'?)" in done.stdout


def test_workflows_and_tests_are_counted_apart(call: Any, folder: Path) -> None:
    (folder / "good.test.yaml").write_text("cases:\n  - {name: it works}\n")

    done = call("validate", "good.yaml", "good.test.yaml")

    assert (done.exit_code, done.stderr) == (0, "1 good workflow, 1 good test file, 0 errors\n")
