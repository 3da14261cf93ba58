"""What a test file may say, and how its problems are told."""

from typing import Any

import pytest


def problems(found: Any) -> list[str]:
    return [str(problem).partition("shoot.test.yaml:")[2] for problem in found.problems]


def test_every_problem_is_told_at_once_with_its_place_and_a_suggestion(read_cases: Any) -> None:
    found = read_cases("""\
workflow: shoot.yaml
default: {}
cases:
  - name: wrong in many ways
    inputs: {gendre: male, photo: '@no-such.png'}
    faults: {los: 0.1, duplicate: 2}
    latency: soon
    decisions: {askk: {aprove: true}}
    expect:
      status: suceeded
      outputs: {modle: {any: true}, larger: {count: many}}
      steps: {model: finished, ask: {tries: 2}}
      error: uncertainn
      credits: {pizi: lots}
      providers: {piza: 2}
      events: [job.sumbitted]
      that: outputs.model = 'x'
""")

    assert problems(found) == [
        "2:1: unknown key 'default' (did you mean 'defaults'?)",
        "5:14: unknown input 'gendre' (did you mean 'gender'?)",
        "5:35: there is no file 'no-such.png' (relative to this file; "
        "a text that begins with @ is written @@…)",
        "6:14: unknown fault 'los' (did you mean 'loss'?)",
        "6:35: the chance of 'duplicate' has to be a number from 0 to 1, not '2'",
        "7:14: 'soon' is not a duration: write 500ms, 8s, 30m, 2h, 1d, 1h30m or ISO 8601 such as PT90S "
        "(such as 2s, or from 1m to 5m: 1m..5m)",
        "8:17: unknown step 'askk' (did you mean 'ask'?)",
        "8:24: unknown key 'aprove' (did you mean 'approve'?)",
        "10:15: 'status' cannot be 'suceeded' (did you mean 'succeeded'?)",
        "11:17: unknown output 'modle' (did you mean 'model'?)",
        "11:45: 'count' takes a whole number",
        "12:22: unknown status 'finished' "
        "(there are: pending, running, succeeded, failed, skipped, cancelled)",
        "12:38: unknown key 'tries' (there are: status, attempts, count, error, output, artifacts)",
        "13:14: unknown class of error 'uncertainn' (did you mean 'uncertain'?)",
        "14:23: a number is needed, not text (or {at_most: 4})",
        "15:19: unknown kind of provider 'piza' (did you mean 'pixza'?)",
        "16:16: unknown event 'job.sumbitted' (did you mean 'job.submitted'?)",
        "17:27: '=' is no operator (write == to compare)",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a test file has to be a map"),
        ("- a", "a test file has to be a map"),
        ("workflow: other.yaml\ncases: [{name: a}]", "there is no file 'other.yaml'"),
        ("workflow: shoot.yaml", "there are no 'cases'"),
        ("cases: []", "'cases' has to be a list with at least one case"),
        ("cases: [{expect: {}}]", "needs the key 'name'"),
        ("cases: [{name: a}, {name: a}]", "another case is called 'a'"),
        ("cases: [{name: a, start: yesterday}]", "'yesterday' is no moment"),
    ],
)
def test_a_file_that_says_nothing_that_can_be_tested_is_refused(
    read_cases: Any, text: str, told: str
) -> None:
    found = read_cases(text)

    assert found.errors
    assert told in "\n".join(problems(found))


def test_what_is_wrong_with_the_workflow_is_told_as_well(read_cases: Any, tmp_path: Any, known: Any) -> None:
    from orchestrator.rehearsal.runner import find

    (tmp_path / "odd.yaml").write_text("name: odd\nsteps: {a: {uses: pizi/no_such}}\n")
    (tmp_path / "odd.test.yaml").write_text("cases: [{name: a}]")

    found = find([tmp_path / "odd.yaml"], known)

    assert "'pizi' has no operation 'no_such'" in str(found.errors[0])


def test_cases_begin_with_what_is_said_for_all_of_them(read_cases: Any) -> None:
    found = read_cases(
        "defaults: {seed: 4, labels: {a: x}, faults: [loss]}\n"
        "cases: [{name: one}, {name: two, seed: 5, labels: {b: y}, faults: {}}]"
    )

    one, two = found.files[0].cases
    assert (one.scene.seed, one.scene.faults, one.line) == (4, {"loss": 1.0}, 2)
    assert (two.scene.seed, two.scene.labels, two.scene.faults) == (5, {"a": "x", "b": "y"}, {})
