"""Cases are played by real parts, in a time that passes at once."""

from typing import Any

from orchestrator.rehearsal.runner import _part
from orchestrator.rehearsal.stage import play as play_part
from orchestrator.settings import Settings


def told(result: Any) -> list[tuple[str, str, str]]:
    return [(d.at, d.expected, d.found) for d in result.differences]


def test_a_case_passes_where_everything_is_as_expected(play: Any) -> None:
    (result,) = play("""
cases:
  - name: the model is chosen and enlarged
    inputs: {gender: male}
    faults: {loss: 1}
    decisions: {ask: {chosen: [0], comment: fine}}
    expect:
      outputs: {model: {matches: '^[0-9a-f-]{36}$'}, larger: [{file: image/jpeg}]}
      steps: {rest: succeeded, larger: {status: succeeded, count: 1, attempts: 1}}
      credits: {pizi: 1, perfect: 1}
      providers: {pizi: {tasks: 1, charged: 1}, perfect: 1}
      events: {job.callback_received: 0, operator.*: {at_most: 1}, job.succeeded: 4}
      that:
        - steps.ask.output.comment == 'fine'
        - run.credits.pizi == 1 and inputs.gender == 'male'
""")

    assert told(result) == []
    assert result.performance.virtual_s > 3 * 3600
    assert result.performance.took_s < 30


def test_a_case_that_did_not_come_out_says_every_difference(play: Any) -> None:
    (result,) = play("""
cases:
  - name: nobody answers
    expect:
      outputs: {larger: {count: 1}}
      steps: {ask: succeeded}
      credits: {pizi: 2}
      events: [job.uncertain]
      that: steps.larger.status == 'succeeded'
""")

    assert [at for at, _, _ in told(result)] == [
        "status", "outputs.larger", "steps.ask", "credits.pizi", "events.job.uncertain", "that"
    ]  # fmt: skip
    assert told(result)[0][2].endswith("no decision is given for ask")
    assert told(result)[3] == ("credits.pizi", "2", "1")
    assert told(result)[5] == ("that", "steps.larger.status == 'succeeded'", "steps.larger.status is skipped")


def test_inputs_that_are_refused_can_be_what_is_expected(play: Any) -> None:
    (result,) = play("""
cases:
  - name: an unknown gender
    inputs: {gender: robot, photo: https://shop.example/a.png}
    expect: {status: refused, error: {class: invalid_input, message: {contains: inputs.gender}}}
""")

    assert told(result) == []


def test_a_decision_that_cannot_be_given_breaks_the_case(play: Any) -> None:
    (result,) = play("cases: [{name: a, decisions: {ask: {chosen: [7]}}}]")

    assert told(result)[0][2].startswith("the decision for 'ask' was refused: ")


def test_the_same_seed_meets_the_same_faults(play: Any) -> None:
    text = "cases: [{name: a, seed: 3, faults: {task_failed: 0.5}, decisions: {ask: {chosen: [0]}}}]"

    one, two = play(text)[0].performance, play(text)[0].performance

    assert [event["type"] for event in one.events] == [event["type"] for event in two.events]


def test_a_case_that_never_ends_is_given_up_and_said_to_be(read_cases: Any) -> None:
    file = read_cases("cases: [{name: a}]").files[0]

    came = play_part(_part(file, file.cases[0]), Settings(), patience_s=0.2)

    assert came.broke is not None
    assert came.broke.startswith("it took too long")


def test_a_submit_goes_out_when_its_job_is_made_and_not_with_the_next_look(play: Any) -> None:
    (result,) = play("cases: [{name: a, decisions: {ask: {chosen: [0]}}}]")

    run, events = result.performance.run, result.performance.events
    model = [event for event in events if event["data"].get("job") == run["steps"][1]["job"]]
    times = {event["type"].removeprefix("orchestrator."): event["time"] for event in model}
    assert times["job.created"] == times["job.submitting"]
