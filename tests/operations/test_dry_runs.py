"""What is told of a run before it is one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator.core.connector import CoreConnector
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.loader import load
from orchestrator.definition.templates import template_value
from orchestrator.definition.workflow import Workflow
from orchestrator.operations.dry_runs import shape
from orchestrator.operations.look_ahead import look_ahead
from orchestrator.operations.outlook import Outlook, Span
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.providers.base import Connector
from orchestrator.providers.pixza import PixzaSettings
from orchestrator.providers.pixza import connect as pixza
from orchestrator.providers.pizi import PiziSettings
from orchestrator.providers.pizi import connect as pizi

PRICES = {"create_model": 1, "create_pictures": {"credits": 1, "per": "variants"}}
CONNECTORS: Mapping[str, Connector] = {
    "core": CoreConnector(),
    "pizi": pizi(PiziSettings(api_key=SecretStr("key"), prices=PRICES)),
    "unlisted": pizi(PiziSettings(kind="pizi", api_key=SecretStr("key"))),
    "pixza": pixza(PixzaSettings(api_key=SecretStr("key"))),
}
PLANS = Plans(CONNECTORS, Sending(key="k", callbacks=True, public_url="https://hooks.example.com"))
CATALOG = catalog(CONNECTORS)
PHOTO = "https://shop.example/bag.png"


def workflow(steps: str, head: str = "", tail: str = "") -> Workflow:
    text = f"name: shoot\n{head}\nsteps:\n{steps}\n{tail}"
    loaded = load(text, file="shoot.yaml", catalog=CATALOG)
    assert loaded.workflow is not None, [str(problem) for problem in loaded.problems]
    return loaded.workflow


def look(definition: Workflow, **given: Any) -> Outlook:
    inputs, problems = check_inputs(definition, given)
    assert problems == []
    return look_ahead(definition, inputs, {}, operation_of=PLANS.planned, find=lambda name: None)


SHOOT = """
  model:
    uses: pizi/create_model
    with: {gender: female}
  pictures:
    uses: pizi/create_pictures
    with:
      shotType: lifestyle
      variants: ${{ inputs.variants }}
      model: {uuid: '${{ steps.model.output.uuid }}'}
      product: {images: ['https://shop.example/bag.png']}
  drafts:
    uses: pixza/generate
    for_each: ${{ steps.pictures.artifacts }}
    with: {type: image, model: flux-schnell, prompt: 'item ${{ index }}'}
"""
VARIANTS = "inputs: {variants: {type: integer, default: 3}}"


def test_counts_and_credits_follow_from_the_inputs() -> None:
    found = look(workflow(SHOOT, VARIANTS), variants=5)

    assert found.credits == {"pizi": Span(6, 6), "pixza": Span(5, 5)}
    assert found.calls == Span(7, 7)
    assert found.stages == [["model"], ["pictures"], ["drafts"]]


def test_a_value_that_will_be_refused_is_told_before_anything_is_paid() -> None:
    found = shape(look(workflow(SHOOT, VARIANTS), variants=2), ())

    assert not found["possible"]
    assert found["problems"] == ["step 'pictures': variants must be 1, 3, 5 or 9, not 2"]


def test_what_depends_on_a_result_is_a_range_and_says_on_what() -> None:
    steps = """
  first: {uses: pixza/generate, with: {type: image, model: flux-schnell, prompt: a}}
  wide:
    uses: pizi/create_model
    if: steps.first.artifacts[0].width > 500
    with: {gender: female}
  after: {uses: pizi/create_model, needs: [wide], with: {gender: male}}
"""
    found = look(workflow(steps))

    assert found.credits == {"pizi": Span(0, 2), "pixza": Span(1, 1)}
    assert found.steps["wide"].why == "if: steps.first.artifacts[0].width > 500"
    assert found.steps["after"].why == "needs wide, which may be skipped"


def test_a_step_whose_condition_is_false_is_skipped_with_all_that_need_it() -> None:
    steps = """
  extra:
    uses: pizi/create_model
    if: inputs.extra
    with: {gender: female}
  after: {uses: pizi/create_model, needs: [extra], with: {gender: male}}
  rescue: {uses: pizi/create_model, if: failure(), needs: [extra], with: {gender: male}}
  always: {uses: pizi/create_model, if: always(), needs: [extra], with: {gender: male}}
"""
    found = look(workflow(steps, "inputs: {extra: {type: boolean, default: false}}"))

    assert {id: step.runs for id, step in found.steps.items()} == {
        "extra": "no",
        "after": "no",
        "rescue": "no",
        "always": "yes",
    }
    assert found.credits == {"pizi": Span(1, 1)}


def test_items_are_counted_where_they_are_known_and_each_has_its_own_condition() -> None:
    steps = """
  draw:
    uses: pixza/generate
    for_each: ${{ range(4) }}
    if: item != 2
    with: {type: image, model: flux-schnell, prompt: 'n ${{ item }}'}
"""
    found = look(workflow(steps))

    assert found.steps["draw"].instances == Span(3, 3)
    assert found.steps["draw"].each_of == "range(4)"


def test_what_no_list_prices_is_said_to_be_unknown() -> None:
    found = shape(look(workflow("\n  one: {uses: unlisted/create_model, with: {gender: male}}\n")), ())

    assert found["credits"] == {"unlisted": {"min": 0, "max": None}}
    assert found["paid_calls"] == {"min": 1, "max": 1}


def test_an_output_of_a_skipped_step_is_missed_before_the_others_are_paid() -> None:
    steps = "\n  extra: {uses: pizi/create_model, if: inputs.extra, with: {gender: male}}\n"
    head = "inputs: {extra: {type: boolean, default: false}}"
    found = shape(look(workflow(steps, head, "outputs: {one: '${{ steps.extra.artifacts[0] }}'}")), ())

    assert found["problems"] == [
        "outputs.one: ${{ steps.extra.artifacts[0] }}: steps.extra.artifacts has 0 items, there is no [0]"
    ]


@pytest.mark.parametrize(
    ("budget", "possible", "left"),
    [(3, False, {"min": 0, "max": 0}), (4, True, {"min": 0, "max": 0}), (9, True, {"min": 5, "max": 5})],
)
def test_a_budget_that_cannot_be_enough_is_told(budget: float, possible: bool, left: Any) -> None:
    definition = replace(workflow(SHOOT, VARIANTS), budget={"pizi": budget})

    found = shape(look(definition), ())

    assert found["possible"] is possible
    assert found["budget"] == [{"connection": "pizi", "credits": budget, "left": left}]


def test_what_a_step_costs_that_runs_another_workflow_is_counted() -> None:
    child = workflow(SHOOT, VARIANTS)
    steps = "\n  one: {uses: pizi/create_model, with: {gender: male}}\n"
    parent = workflow(steps)
    run = replace(parent.steps["one"], id="run", connection="core", operation="run_workflow")
    params = template_value({"workflow": "shoot", "inputs": {"variants": 1}}, lambda place, error: None)
    parent = replace(parent, steps={**parent.steps, "run": replace(run, params=params)})

    found = look_ahead(parent, {}, {}, operation_of=PLANS.planned, find={"shoot": child}.get)

    assert found.credits == {"pizi": Span(3, 3), "pixza": Span(1, 1)}
    assert found.calls == Span(4, 4)


def connection(**different: Any) -> dict[str, Any]:
    return {
        "name": "pizi", "status": "active", "reason": None, "credits": None, "budget": None, **different
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "warning"),
    [
        (connection(status="paused", reason="out of credits"), "pizi is paused, and nothing is submitted"),
        (connection(credits=2), "pizi had 2 credits when it told last, and the run costs at least 4"),
        (
            connection(budget={"credits": 10, "used": 7, "per": "1d", "until": "2026-11-21T00:00:00Z"}),
            "the budget of pizi has 3 credits left; the rest waits",
        ),
    ],
)
def test_what_would_hold_the_run_up_is_a_warning(state: dict[str, Any], warning: str) -> None:
    found = shape(look(workflow(SHOOT, VARIANTS)), [state])

    assert found["possible"]
    assert [text for text in found["warnings"] if text.startswith(warning)] != []
