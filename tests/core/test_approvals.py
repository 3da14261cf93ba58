"""A workflow asks a person: what they see, what they may answer, and what becomes of it."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from orchestrator.simulators.server import Options, start

CHOOSING = """
name: choosing
inputs:
  products: {type: array, items: {type: string}}
steps:
  model:
    uses: pizi/create_model
    with: {gender: female}
  pictures:
    uses: pizi/create_pictures
    with:
      shotType: lifestyle
      variants: 3
      model: {uuid: '${{ steps.model.output.uuid }}'}
      product: {images: '${{ inputs.products }}'}
  pick:
    uses: core/approve
    with:
      message: Which of them goes into the shop?
      choices: ${{ steps.pictures.artifacts }}
      pick: 2
outputs:
  chosen: ${{ steps.pick.artifacts }}
  answer: ${{ steps.pick.output }}
"""

ASKING = """
name: asking
inputs:
  default: {type: string, default: fail}
steps:
  ask:
    uses: core/approve
    timeout: 2s
    with: {message: May it go out?, default: '${{ inputs.default }}'}
outputs:
  answer: ${{ steps.ask.output }}
"""

LISTING = """
name: listing
steps:
  pick:
    uses: core/approve
    for_each: [red, blue, green]
    with:
      message: ${{ item }} in which size?
      choices: [small, large]
  last:
    uses: core/approve
    needs: [pick]
    if: failure()
    with: {message: Once more?}
outputs:
  sizes: ${{ steps.pick.output | map(attribute='chosen') | list }}
"""


@pytest.fixture
async def server(serve: Callable[..., Any]) -> AsyncIterator[Any]:
    simulated = await start(Options(kinds=("pizi",), latency_s=(0.01, 0.05), limits="off"))
    pizi = {**simulated.client_settings("pizi"), "rate_limits": []}
    yield await serve(CHOOSING, ASKING, LISTING, tables={"providers.pizi": pizi})
    await simulated.stop()


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


async def test_a_person_chooses_two_of_three_pictures(server: Any) -> None:
    run = await server.begin("choosing", products=[a_product()])
    asked = await server.asked(run, "pick")
    code, out, _ = await server.says(
        *("runs", "approve", run, "pick", "--choose", "2", "--choose", "0"),
        *("--comment", "the light is better", "--by", "Ada"),
    )
    ended = await server.ended(run)

    assert (code, out) == (0, f"pick of {run} is approved\n")
    assert ended["status"] == "succeeded", ended["error"]
    choices = [choice["digest"] for choice in asked["choices"]]
    assert [one["digest"] for one in ended["outputs"]["chosen"]] == [choices[2], choices[0]]
    assert ended["outputs"]["answer"]["comment"] == "the light is better"
    assert ended["outputs"]["answer"]["by"] == "Ada"


async def test_a_question_is_shown_wherever_its_job_is(server: Any) -> None:
    run = await server.begin("choosing", products=[a_product()])
    asked = await server.asked(run, "pick")
    [waits] = (await server.get("/waiting"))["items"]
    job = await server.get(f"/jobs/{waits['job']}")
    _, board, _ = await server.says("waiting")
    _, shown, _ = await server.says("runs", "show", run)

    assert asked["message"] == "Which of them goes into the shop?"
    assert (asked["pick"], asked["default"], asked["deadline_at"]) == (2, None, None)
    assert all(choice["href"].endswith(choice["digest"]) for choice in asked["choices"])
    assert asked["href"] == f"/api/v1/steps/{run}/pick/decision"
    assert waits["question"] == asked == job["question"]
    assert waits["waiting_for"] == "a person's answer"
    assert "a person's answer" in board
    assert f"orchestrator runs approve {run} pick --choose N   (up to 2 times)" in shown
    assert f"orchestrator runs reject {run} pick" in shown


async def test_who_follows_a_run_is_told_what_is_asked_and_how_to_answer(server: Any) -> None:
    piped = asyncio.subprocess.PIPE
    waiting = await server.command("run", "asking", "--wait", stdout=piped, stderr=piped)
    _, told = await asyncio.wait_for(waiting.communicate(), 60)
    text = told.decode()

    assert "? ask asks: May it go out?" in text
    assert "then the step fails" in text
    assert "orchestrator runs approve run_" in text
    assert waiting.returncode == 1


async def test_what_is_rejected_fails_with_the_words_of_who_rejected_it(server: Any) -> None:
    run = await server.begin("asking")
    await server.asked(run, "ask")
    code, out, _ = await server.says("runs", "reject", run, "ask", "--comment", "too dark")
    ended = await server.ended(run)

    assert (code, out) == (0, f"ask of {run} is rejected\n")
    [step] = ended["steps"]
    assert step["error"] == {"class": "task_failed", "code": "rejected", "message": "too dark"}


async def test_the_deadline_decides_what_nobody_has(server: Any) -> None:
    defaults = ("approve", "reject", "fail")
    runs = [await server.begin("asking", default=default) for default in defaults]
    asked = [await server.asked(run, "ask") for run in runs]
    ends = [await server.ended(run) for run in runs]

    assert [one["default"] for one in asked] == list(defaults)
    assert all(one["deadline_at"] for one in asked)
    assert [ended["status"] for ended in ends] == ["succeeded", "failed", "failed"]
    errors = [ended["steps"][0]["error"] or {} for ended in ends]
    assert [(error.get("class"), error.get("code")) for error in errors] == [
        (None, None),
        ("task_failed", "rejected"),
        ("timeout", None),
    ]


async def test_each_item_of_a_list_is_asked_about_by_itself(server: Any) -> None:
    run = await server.begin("listing")
    for index in (0, 1, 2):
        await server.asked(run, "pick", index)
    await server.decide(run, "pick[1]", approved=True, chosen=[1])
    await server.decide(run, "pick[0]", approved=True, chosen=[0])
    code, _, _ = await server.says("runs", "approve", run, "pick[2]", "--choose", "0")
    ended = await server.ended(run)

    assert code == 0
    assert ended["outputs"]["sizes"] == [["small"], ["large"], ["small"]]


async def test_a_question_is_answered_once(server: Any) -> None:
    run = await server.begin("listing")
    await server.asked(run, "pick", 0)
    answers = await asyncio.gather(
        *(server.decide(run, "pick[0]", approved=True, chosen=[n % 2]) for n in range(5))
    )
    late, problem = await server.decide(run, "pick[0]", approved=False)

    assert sorted(status for status, _ in answers) == [200, 409, 409, 409, 409]
    assert late == 409
    assert "was answered already" in problem["detail"]


async def test_a_step_that_asks_nobody_is_never_said_to_be_answered(server: Any) -> None:
    run = await server.begin("choosing", products=[a_product()])
    await server.asked(run, "pick")

    status, problem = await server.decide(run, "model", approved=True)

    assert status == 409
    assert problem["detail"] == "step 'model' asks nobody: it is pizi/create_model"


async def test_a_step_that_has_not_begun_is_told_from_one_that_is_not_there(server: Any) -> None:
    run = await server.begin("listing")
    await server.asked(run, "pick", 0)

    early, too_early = await server.decide(run, "last", approved=True)
    unknown, no_such = await server.decide(run, "lost", approved=True)

    assert (early, unknown) == (409, 404)
    assert too_early["detail"] == "step 'last' has not begun, so it asks nothing yet"
    assert "there are: pick, last" in no_such["detail"]


async def test_what_cannot_be_chosen_is_no_answer(server: Any) -> None:
    run = await server.begin("listing")
    await server.asked(run, "pick", 0)
    wrong: list[tuple[str, dict[str, Any], str, str]] = [
        ("pick[0]", {"approved": True, "chosen": [2]}, "chosen", "choices are numbers from 0 to 1"),
        ("pick[0]", {"approved": True, "chosen": [0, 1]}, "chosen", "choose 1 of the 2 choices, not 2"),
        ("pick[0]", {"approved": True}, "chosen", "choose 1 of the 2 choices, not 0"),
        ("pick[0]", {"approved": False, "chosen": [0]}, "chosen", "nothing is chosen"),
        ("pick[0]", {"chosen": [0]}, "approved", "required"),
        ("pick", {"approved": True}, "index", "say which, as in pick[0]"),
        ("pick[7]", {"approved": True}, "index", "the last is pick[2]"),
    ]
    answers = [await server.decide(run, step, **decision) for step, decision, _, _ in wrong]

    for (status, problem), (_, _, location, message) in zip(answers, wrong, strict=True):
        [error] = problem["errors"]
        assert (status, error["location"]) == (422, location)
        assert message in error["message"].lower()
    assert (await server.asked(run, "pick", 0))["message"] == "red in which size?"


async def test_an_answer_after_the_end_is_told_so(server: Any) -> None:
    run = await server.begin("asking")
    await server.asked(run, "ask")
    await server.ended(run)
    status, problem = await server.decide(run, "ask", approved=True)
    code, _, err = await server.says("runs", "approve", run, "ask")

    assert status == 409
    assert "has ended" in problem["detail"]
    assert code == 1
    assert "has ended" in err


async def test_a_question_survives_the_death_of_the_server(server: Any) -> None:
    run = await server.begin("choosing", products=[a_product()])
    before = await server.asked(run, "pick")
    await server.kill()
    await server.start()
    after = await server.asked(run, "pick")
    await server.decide(run, "pick", approved=True, chosen=[1])
    ended = await server.ended(run)

    assert after == before
    assert [one["digest"] for one in ended["outputs"]["chosen"]] == [before["choices"][1]["digest"]]
