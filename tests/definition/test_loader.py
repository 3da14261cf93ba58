"""A definition becomes a workflow, or everything that is wrong with it is told with its place."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import cron
from orchestrator.definition.catalog import Catalog
from orchestrator.definition.loader import Loaded, canonical, load, parse
from orchestrator.definition.scopes import CALLBACK_MARK
from orchestrator.definition.triggers import CRON_ALIASES
from orchestrator.definition.workflow import Notify, Retry, ScheduleTrigger, Verification, Workflow
from orchestrator.errors import DefinitionError

Load = Callable[[str], Loaded]


def workflow(loaded: Loaded) -> Workflow:
    assert loaded.workflow is not None, "\n".join(map(str, loaded.problems))
    return loaded.workflow


def lines(loaded: Loaded) -> list[str]:
    return [str(problem).removeprefix("w.yaml:") for problem in loaded.problems]


STEP = "steps:\n  s: {uses: pizi/get_credits}\n"


# --- what a workflow is ----------------------------------------------------------------------


def test_the_example_loads_without_a_word(load_text: Load, example: str) -> None:
    loaded = load_text(example)

    assert loaded.problems == ()
    found = workflow(loaded)
    assert found.name == "fashion-shoot"
    assert list(found.steps) == ["model", "pictures", "enhance"]
    assert found.required == {"product_images"}
    assert found.timeout_s == 86_400


def test_steps_need_what_their_expressions_read(load_text: Load, example: str) -> None:
    found = workflow(load_text(example))

    assert {id: step.needs for id, step in found.steps.items()} == {
        "model": frozenset(),
        "pictures": {"model"},
        "enhance": {"pictures"},
    }
    assert found.outputs["images"].steps == {"enhance"}


def test_every_key_of_a_step_is_read(load_text: Load) -> None:
    found = workflow(
        load_text(
            """\
            name: all-keys
            timeout: 2h
            defaults: {timeout: 1m, retry: {attempts: 4, backoff: 1s, on: [timeout]}, on_uncertain: wait}
            steps:
              a: {uses: pizi/get_credits}
              b: {uses: pizi/get_credits, timeout: 500ms, on_uncertain: resubmit}
              c:
                uses: perfect/enhance
                needs: [b]
                if: always() && false
                for_each: [1, 2]
                max_parallel: 7
                continue_on_error: true
                fail_fast: true
                retry: {attempts: 5, max_backoff: PT1H}
                with: {image: 'https://x/${{ index }}', scale: '${{ item }}'}
            """.replace("&&", "and")
        )
    )
    a, b, c = found.steps.values()

    assert found.timeout_s == 7200
    assert (a.timeout_s, b.timeout_s) == (60, 0.5)
    assert (a.on_uncertain, b.on_uncertain) == ("wait", "resubmit")
    assert a.retry == Retry(attempts=4, backoff_s=1, on=frozenset({"timeout"}))
    assert c.retry == Retry(attempts=5, backoff_s=1, max_backoff_s=3600, on=frozenset({"timeout"}))
    assert (c.max_parallel, c.continue_on_error, c.fail_fast) == (7, True, True)
    assert c.needs == {"b"}
    assert c.for_each is not None
    assert c.for_each.evaluate({}) == [1, 2]
    assert c.condition is not None
    assert c.condition.asks_status
    assert c.params.evaluate({"item": 2, "index": 1}) == {"image": "https://x/1", "scale": 2}


def test_a_step_without_parameters_gets_none(load_text: Load) -> None:
    found = workflow(load_text("name: w\nsteps:\n  s:\n    uses: pizi/get_credits\n    with:\n"))

    assert found.steps["s"].params.evaluate({}) == {}


# --- what holds for every run ----------------------------------------------------------------


def test_what_holds_for_every_run_is_read(load_text: Load) -> None:
    found = workflow(
        load_text(
            """\
            name: all
            inputs: {shop: {type: string}, size: {type: integer, default: 2}}
            budget: {pizi: 40, perfect: 0.5}
            concurrency: {group: 'shop-${{ inputs.shop }}', limit: 2}
            triggers:
              webhook:
                verify: {scheme: hmac, secret: shop, header: X-Shop}
                dedupe: ${{ headers['x-id'] }}
                inputs: {shop: '${{ body.shop.id }}'}
              run: {workflow: other, status: [failed], inputs: {shop: '${{ run.inputs.shop }}'}}
            notify:
              - https://example.com/a
              - {url: 'https://example.com/b', secret: partner, on: [failed]}
            steps:
              a: {uses: pizi/create_model, with: {gender: male}}
              b: {uses: perfect/enhance, with: {image: 'https://example.com/1.png', scale: 2}}
            """
        )
    )
    hook, (after,) = found.triggers.webhook, found.triggers.runs

    assert found.budget == {"pizi": 40, "perfect": 0.5}
    assert found.concurrency is not None
    assert found.concurrency.group.evaluate({"inputs": {"shop": "x"}}) == "shop-x"
    assert found.concurrency.limit == 2
    assert hook is not None
    assert hook.verify == Verification(scheme="hmac", secret="shop", header="X-Shop")
    assert hook.dedupe is not None
    assert hook.dedupe.evaluate({"headers": {"x-id": "1"}}) == "1"
    assert hook.inputs["shop"].evaluate({"body": {"shop": {"id": "2"}}}) == "2"
    assert after.workflow == "other"
    assert after.statuses == {"failed"}
    assert after.inputs["shop"].evaluate({"run": {"inputs": {"shop": "3"}}}) == "3"
    assert list(found.notify) == [
        Notify(url="https://example.com/a"),
        Notify(url="https://example.com/b", secret="partner", statuses=frozenset({"failed"})),
    ]
    assert parse(found.source) == found


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{cron: '0 6 * * 1-5'}", [ScheduleTrigger(cron="0 6 * * 1-5")]),
        ("{cron: '@Hourly', timezone: Europe/Berlin, missed: run_once}",
         [ScheduleTrigger(cron="0 * * * *", timezone="Europe/Berlin", missed="run_once")]),
        ("[{cron: '@daily'}, {cron: '@weekly'}]",
         [ScheduleTrigger(cron="0 0 * * *"), ScheduleTrigger(cron="0 0 * * 0")]),
    ],
)  # fmt: skip
def test_one_schedule_or_several_are_read(load_text: Load, written: str, read: list[ScheduleTrigger]) -> None:
    found = workflow(load_text(f"name: w\ntriggers: {{schedule: {written}}}\n{STEP}"))

    assert list(found.triggers.schedules) == read


def test_every_short_name_for_a_cron_line_is_one(load_text: Load) -> None:
    assert {cron.problem(line, "UTC") for line in CRON_ALIASES.values()} == {None}


def test_nobody_asks_for_secrets_that_nobody_knows(catalog: Catalog) -> None:
    text = f"name: w\ntriggers: {{webhook: {{verify: {{scheme: token, secret: any}}}}}}\n{STEP}"

    assert load(text, file="w.yaml", catalog=catalog).problems == ()


# --- our own operations ----------------------------------------------------------------------


def test_what_becomes_of_an_answer_is_kept_apart_from_the_parameters(load_text: Load) -> None:
    found = workflow(
        load_text(
            """\
            name: w
            inputs: {id: {type: string}}
            steps:
              s:
                uses: core/http
                with:
                  url: https://example.com/${{ inputs.id }}?tell=${{ callback.url }}
                  wait: callback
                  result: {id: '${{ callback.json.id }}', status: '${{ response.status }}'}
                  artifacts: ['${{ callback.json.url }}']
            """
        )
    )
    step = found.steps["s"]
    answer = {"response": {"status": 202}, "callback": {"json": {"id": 7, "url": "https://x/1"}}}

    assert (step.needs, step.reads) == (frozenset(), frozenset())
    assert step.params.evaluate({"inputs": {"id": "5"}}) == {
        "url": f"https://example.com/5?tell={CALLBACK_MARK}",
        "wait": "callback",
    }
    assert step.deferred["result"].evaluate(answer) == {"id": 7, "status": 202}
    assert step.deferred["artifacts"].evaluate(answer) == ["https://x/1"]


def test_sleeping_and_asking_take_as_long_as_they_take(load_text: Load) -> None:
    found = workflow(
        load_text(
            """\
            name: w
            defaults: {timeout: 1m}
            steps:
              a: {uses: core/sleep, with: {duration: 2h}}
              b: {uses: core/approve, with: {message: 'Good?'}}
              c: {uses: core/approve, timeout: 2d, with: {message: 'Good?'}}
              d: {uses: core/run_workflow, with: {workflow: other}}
            """
        )
    )

    assert [step.timeout_s for step in found.steps.values()] == [None, None, 172_800, 60]


# --- canonical form --------------------------------------------------------------------------


def test_a_stored_definition_gives_an_equal_workflow(load_text: Load, example: str) -> None:
    found = workflow(load_text(example))

    again = parse(found.source)

    assert again == found
    assert list(again.steps) == list(found.steps)


def test_comments_and_formatting_do_not_change_the_digest(load_text: Load) -> None:
    plain = "name: w\ninputs: {a: {type: string}}\nsteps:\n  s: {uses: pizi/get_credits, timeout: 8s}\n"
    other = """\
# A comment.
"name": 'w'
inputs:
    a:
        type: "string"     # another
steps: {s: {"uses": pizi/get_credits,
    timeout: !!str 8s}}
"""

    one, two = workflow(load_text(plain)), workflow(load_text(other))

    assert one == two
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", one.digest)


def test_the_digest_of_a_definition_is_for_ever(load_text: Load, example: str) -> None:
    # Runs are pinned to it: whoever changes this number loses them.
    known = "sha256:7e9f491a8ffb99de6362a749f912edc0bd9566b88940812b05e40de18f965646"

    assert workflow(load_text(example)).digest == known


def test_any_change_of_a_value_changes_the_digest(load_text: Load, example: str) -> None:
    changed = example.replace("scale: 2", "scale: 4")

    assert workflow(load_text(changed)).digest != workflow(load_text(example)).digest


def test_a_stored_definition_needs_no_catalog(load_text: Load, example: str) -> None:
    source = workflow(load_text(example)).source.replace("pizi/", "gone/")

    assert parse(source).steps["model"].connection == "gone"


@pytest.mark.parametrize("source", ["{}", '{"name":"w","steps":{"s":{"uses":"x"}}}', "[]", "null"])
def test_what_was_never_stored_is_refused(source: str) -> None:
    with pytest.raises(DefinitionError, match="stored definition"):
        parse(source)


TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: "${{" not in text)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.sampled_from([None, True, False, "${{ inputs.a }}", "x${{ index }}"]) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_outputs_survive_the_canonical_form(template: Any) -> None:
    data = {"name": "w", "steps": {"s": {"uses": "a/b"}}, "outputs": {"x": template}}

    found = parse(canonical(data))

    assert parse(found.source) == found
    assert found.outputs["x"].evaluate({"inputs": {"a": 1}, "index": 2}) is not NotImplemented


# --- every kind of problem, with its place ---------------------------------------------------

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_every_problem_is_told_with_its_place(load_text: Load, name: str) -> None:
    loaded = load_text((GOLDEN / f"{name}.yaml").read_text())

    assert lines(loaded) == (GOLDEN / f"{name}.txt").read_text().splitlines()
    assert (loaded.workflow is None) == any(problem.severity == "error" for problem in loaded.problems)


def test_every_golden_file_is_used() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == {path.stem for path in GOLDEN.glob("*.txt")}


def test_problems_name_the_file_and_the_location(load_text: Load) -> None:
    (problem,) = load_text("name: w\nsteps:\n  s: {uses: pizi/get_credits, needs: [x]}\n").problems

    assert (problem.file, problem.location) == ("w.yaml", "steps.s.needs[0]")


def test_a_warning_does_not_keep_a_workflow_from_loading(load_text: Load) -> None:
    loaded = load_text("name: w\ninputs: {a: {minimun: 1}}\noutputs: {a: '${{ inputs.a }}'}\n" + STEP)

    assert [problem.severity for problem in loaded.problems] == ["warning"]
    assert loaded.workflow is not None


def test_what_may_be_missing_is_no_problem_when_it_is_guarded(load_text: Load) -> None:
    text = "name: w\nsteps:\n  s:\n    uses: pizi/create_model\n    with: {gender: male}\n"

    loaded = load_text(text + "outputs: {a: \"${{ steps.s.output.uid | default('x') }}\"}\n")

    assert loaded.problems == ()


def test_types_are_followed_through_filters_and_literals(load_text: Load) -> None:
    text = """\
name: w
inputs: {sizes: {type: array, items: {enum: [1, 2]}}}
steps:
  a:
    uses: perfect/enhance
    for_each: ${{ inputs.sizes | reverse }}
    with: {image: "${{ ['https://x/1'] | first }}", scale: "${{ item if index else 4 }}"}
  b:
    uses: perfect/enhance
    with: {image: "${{ steps.a.artifacts | last }}", scale: "${{ inputs.sizes | max | default(1) }}"}
"""

    assert load_text(text).problems == ()


def test_an_expression_inside_one_form_of_several_is_given_the_benefit_of_the_doubt(load_text: Load) -> None:
    text = """\
name: w
inputs: {id: {type: string}}
steps:
  a:
    uses: perfect/enhance
    with: {image: {file_id: "${{ inputs.id }}"}, scale: 2}
"""

    assert load_text(text).problems == ()


# --- limits ----------------------------------------------------------------------------------


def test_many_steps_load_in_reasonable_time(load_text: Load) -> None:
    steps = "".join(
        f"  s{n}:\n    uses: perfect/enhance\n"
        f"    with: {{image: '${{{{ steps.s{n - 1}.artifacts[0] }}}}', scale: 2}}\n"
        for n in range(1, 300)
    )
    began = time.process_time()

    loaded = load_text("name: w\nsteps:\n  s0: {uses: pizi/create_model, with: {gender: male}}\n" + steps)

    assert list(workflow(loaded).steps) == [f"s{n}" for n in range(300)]
    assert time.process_time() - began < 10


MUTANTS = ["", "~", "x", "3", "[]", "{a: 1}", "${{ item }}", "[[1]]", "- 1", "a/b", "[null]", "{type: 3}"]


@pytest.mark.parametrize("name", ["every_key", "every_key_of_a_run"])
@given(mutations=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(MUTANTS)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_no_definition_breaks_the_loader(
    load_text: Load, name: str, mutations: list[tuple[int, str]]
) -> None:
    written = (GOLDEN / f"{name}.yaml").read_text().splitlines()
    for line, value in mutations:
        at = line % len(written)
        written[at] = re.sub(r":.*", f": {value}", written[at])

    loaded = load_text("\n".join(written))

    assert loaded.workflow is None or parse(loaded.workflow.source) == loaded.workflow


KEYWORDS = st.sampled_from(
    [
        "type",
        "items",
        "properties",
        "enum",
        "$ref",
        "$defs",
        "anyOf",
        "default",
        "required",
        "minItems",
        "additionalProperties",
        "format",
    ]
)
SCHEMAS = st.recursive(
    st.sampled_from([None, True, 1, -1.5, "", "x", "object", "array", "${{ a }}", "#/$defs/type"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYWORDS, inner, max_size=3),
)


@given(SCHEMAS)
@settings(max_examples=150, deadline=None)
def test_no_input_schema_breaks_the_loader(load_text: Load, schema: Any) -> None:
    params = {"image": "${{ inputs.a.b[0] }}", "scale": "${{ inputs.a }}"}
    step = {"uses": "perfect/enhance", "with": params}
    data = {"name": "w", "inputs": {"a": schema}, "steps": {"s": step}}

    loaded = load_text(orjson.dumps(data).decode())

    assert loaded.workflow is None or parse(loaded.workflow.source) == loaded.workflow
