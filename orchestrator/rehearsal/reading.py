"""From the text of a test file to its cases, or to everything that is wrong with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from orchestrator.definition.catalog import Catalog
from orchestrator.definition.expressions import ExpressionError
from orchestrator.definition.json_values import kind
from orchestrator.definition.report import Report
from orchestrator.definition.scopes import IN_TEST
from orchestrator.definition.section import Section
from orchestrator.definition.templates import ExpressionCondition, condition
from orchestrator.definition.workflow import Workflow
from orchestrator.definition.yaml_document import Document, Unreadable, read
from orchestrator.definition.yaml_document import Path as At
from orchestrator.durations import seconds
from orchestrator.errors import ErrorClass, Problem
from orchestrator.operations import workflows
from orchestrator.rehearsal.cases import Case, Decision, Expectation, Scene, Status, TestFile
from orchestrator.rehearsal.matching import complaint, is_matcher
from orchestrator.simulators.faults import MEANINGS
from orchestrator.simulators.server import SIMULATORS
from orchestrator.store.log import TYPES
from orchestrator.wording import did_you_mean, quoted

TOP_KEYS = ("workflow", "defaults", "cases")
SETTING_KEYS = (
    "inputs", "labels", "faults", "seed", "latency", "limits", "balance", "callbacks", "start", "decisions",
)  # fmt: skip
CASE_KEYS = ("name", *SETTING_KEYS, "expect")
DECISION_KEYS = ("approve", "chosen", "comment")
EXPECT_KEYS = ("status", "error", "outputs", "steps", "credits", "providers", "events", "that")
STEP_KEYS = ("status", "attempts", "count", "error", "output", "artifacts")
ERROR_KEYS = ("class", "code", "message")
PROVIDER_KEYS = ("tasks", "charged")
STEP_STATUSES = ("pending", "running", "succeeded", "failed", "skipped", "cancelled")


@dataclass(frozen=True, slots=True)
class Read:
    """What a test file gave: its problems, and its cases if there is no error."""

    file: TestFile | None
    problems: Sequence[Problem]


def read_tests(path: Path, catalog: Catalog) -> Read:
    """Return the test file at *path* with the workflow that it names, checked against *catalog*."""
    try:
        document = read(path.read_text("utf-8"))
    except Unreadable as error:
        report = Report(Document(None), str(path))
        report.at_place(error.place, error.message, error.hint)
        return Read(None, report.problems)
    except UnicodeDecodeError:
        return Read(None, [Problem(file=str(path), message="is not UTF-8 text")])
    except OSError as error:
        return Read(None, [Problem(file=str(path), message=f"cannot be read: {error.strerror}")])
    report = Report(document, str(path))
    for message, place, hint in document.flaws:
        report.at_place(place, message, hint)
    if not isinstance(document.data, dict):
        report.at_place(document.value(()), "a test file has to be a map", f"keys: {', '.join(TOP_KEYS)}")
        return Read(None, report.problems)
    return _File(path, document, report).read(document.data, catalog)


@dataclass(frozen=True, slots=True)
class _File:
    """Reads one file."""

    path: Path
    document: Document
    report: Report

    def read(self, data: Mapping[str, Any], catalog: Catalog) -> Read:
        top = Section(data, (), self.report, known=TOP_KEYS)
        definition = self._definition(top)
        found = workflows.read([definition], catalog) if definition is not None else None
        workflow = next(iter(found.workflows.values()), None) if found is not None else None
        cases = self._cases(top, workflow)
        problems = [*self.report.problems, *(found.errors if found is not None else ())]
        if definition is None or workflow is None or any(each.severity == "error" for each in problems):
            return Read(None, problems)
        return Read(TestFile(self.path, definition, workflow, cases), problems)

    def _definition(self, top: Section) -> Path | None:
        """Return the file of the workflow: the one that is named, else the one beside of the same name."""
        if name := top.text("workflow"):
            path = self.path.parent / name
            if path.is_file():
                return path
            top.wrong("workflow", f"there is no file {quoted(name)}", "the path is relative to this file")
            return None
        stem = workflows.tested(self.path)
        beside = [self.path.with_name(f"{stem}{suffix}") for suffix in workflows.SUFFIXES]
        for path in beside if "workflow" not in top else ():
            if path.is_file():
                return path
        if "workflow" not in top:
            self.report.at_key((), f"there is no file '{stem}.yaml' beside it", "name it with 'workflow'")
        return None

    def _cases(self, top: Section, workflow: Workflow | None) -> list[Case]:
        defaults = Section(top.map("defaults"), ("defaults",), self.report, known=SETTING_KEYS)
        common = self._scene(Scene(), defaults, workflow)
        given = top.get("cases")
        if not isinstance(given, list) or not given:
            what = (
                "'cases' has to be a list with at least one case"
                if "cases" in top
                else "there are no 'cases'"
            )
            self.report.at_key(("cases",) if "cases" in top else (), what)
            return []
        cases = [self._case(data, ("cases", n), common, workflow) for n, data in enumerate(given)]
        names: set[str] = set()
        for n, case in enumerate(cases):
            if case.name in names:
                self.report.at_value(("cases", n, "name"), f"another case is called {quoted(case.name)}")
            names.add(case.name)
        return cases

    def _case(self, data: Any, at: At, common: Scene, workflow: Workflow | None) -> Case:
        section = Section(data, at, self.report, known=CASE_KEYS)
        name = section.text("name")
        if not name and isinstance(data, dict):
            section.missing("name", "a sentence that says what has to hold")
        expect = self._expectation(section, workflow)
        # What a case that is refused has to have wrong is its inputs.
        known = None if expect.status == "refused" else workflow
        return Case(name, self.document.value(at).line, self._scene(common, section, known), expect)

    # --- what goes in ---

    def _scene(self, common: Scene, section: Section, workflow: Workflow | None) -> Scene:
        return replace(
            common,
            inputs={**common.inputs, **self._inputs(section, workflow)},
            labels={**common.labels, **self._labels(section)},
            faults=self._faults(section) if "faults" in section else common.faults,
            seed=section.whole("seed", common.seed, 0, 2**31),
            latency_s=self._latency(section, common.latency_s),
            limits=section.choice("limits", ("documented", "off"), common.limits),
            balance=section.whole("balance", common.balance, 0, 10**9),
            callbacks=section.choice("callbacks", ("on", "off"), common.callbacks),
            start=self._start(section, common.start),
            decisions={**common.decisions, **self._decisions(section, workflow)},
        )

    def _inputs(self, section: Section, workflow: Workflow | None) -> dict[str, Any]:
        given = section.map("inputs")
        if workflow is not None:
            self._check_names(given, workflow.inputs, (*section.path, "inputs"), "input")
        return {name: self._input(value, (*section.path, "inputs", name)) for name, value in given.items()}

    def _input(self, value: Any, at: At) -> Any:
        """Return *value* with `@file` as the whole path of that file."""
        if isinstance(value, dict):
            return {key: self._input(inner, (*at, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._input(inner, (*at, n)) for n, inner in enumerate(value)]
        if not isinstance(value, str) or not value.startswith("@") or value.startswith("@@"):
            return value
        path = (self.path.parent / value[1:]).absolute()
        if not path.is_file():
            hint = "relative to this file; a text that begins with @ is written @@…"
            self.report.at_value(at, f"there is no file {quoted(value[1:])}", hint)
        return f"@{path}"

    def _labels(self, section: Section) -> dict[str, str]:
        labels = section.map("labels")
        for name, value in labels.items():
            if not isinstance(value, str):
                self.report.at_value((*section.path, "labels", name), f"a label is a text, not {kind(value)}")
        return {name: str(value) for name, value in labels.items()}

    def _faults(self, section: Section) -> dict[str, float]:
        given, at = section.get("faults"), (*section.path, "faults")
        if isinstance(given, list) and all(isinstance(name, str) for name in given):
            given = dict.fromkeys(given, 1)
        if not isinstance(given, dict):
            hint = "such as {loss: 0.1, duplicate: 1}, or [loss]; `simulate --fault list` names them"
            self.report.at_value(at, f"'faults' has to map names to chances, not {kind(given)}", hint)
            return {}
        self._check_names(given, MEANINGS, at, "fault")
        for name, chance in given.items():
            if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
                message = f"the chance of '{name}' has to be a number from 0 to 1, not {quoted(str(chance))}"
                self.report.at_value((*at, name), message)
        return {name: float(chance) for name, chance in given.items() if isinstance(chance, int | float)}

    def _latency(self, section: Section, default: tuple[float, float]) -> tuple[float, float]:
        if not (text := section.text("latency")):
            return default
        low, dots, high = text.partition("..")
        try:
            ends = seconds(low), seconds(high if dots else low)
        except ValueError as error:
            section.wrong("latency", str(error), "such as 2s, or from 1m to 5m: 1m..5m")
            return default
        if ends[0] > ends[1]:
            section.wrong("latency", f"{quoted(text)} ends before it begins")
        return ends

    def _start(self, section: Section, default: float) -> float:
        if not (text := section.text("start")):
            return default
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            section.wrong("start", f"{quoted(text)} is no moment", "such as 2026-11-20T12:00:00Z")
            return default
        return moment.timestamp()

    def _decisions(self, section: Section, workflow: Workflow | None) -> dict[str, Decision]:
        decisions = {}
        for name in section.map("decisions"):
            at = (*section.path, "decisions", name)
            given = Section(section.map("decisions")[name], at, self.report, known=DECISION_KEYS)
            chosen = given.get("chosen") if "chosen" in given else []
            if not isinstance(chosen, list) or not all(type(n) is int and n >= 0 for n in chosen):
                given.wrong("chosen", "'chosen' has to be a list of positions in the choices, from 0")
                chosen = []
            decisions[name] = Decision(
                approve=given.flag("approve", True), chosen=chosen, comment=given.text("comment") or None
            )
        if workflow is not None:
            steps = {name.partition("[")[0]: name for name in decisions}
            self._check_names(steps, workflow.steps, (*section.path, "decisions"), "step", steps)
        return decisions

    # --- what has to come out ---

    def _expectation(self, case: Section, workflow: Workflow | None) -> Expectation:
        at = (*case.path, "expect")
        section = Section(case.get("expect") if "expect" in case else {}, at, self.report, known=EXPECT_KEYS)
        outputs, steps = section.map("outputs"), section.map("steps")
        if workflow is not None:
            self._check_names(outputs, workflow.outputs, (*at, "outputs"), "output")
            self._check_names(steps, workflow.steps, (*at, "steps"), "step")
        self._check_values(section.get("outputs"), (*at, "outputs"))
        for name, wanted in steps.items():
            self._check_step(wanted, (*at, "steps", name))
        connections = {step.connection for step in workflow.steps.values()} if workflow is not None else None
        return Expectation(
            status=section.choice("status", get_args(Status), "succeeded"),
            error=self._error(section.get("error"), (*at, "error")),
            outputs=outputs,
            steps=steps,
            credits=self._amounts(section, "credits", connections, "connection"),
            providers=self._providers(section),
            events=self._events(section),
            that=self._that(section),
        )

    def _error(self, wanted: Any, at: At) -> Any:
        """Return what is expected of an error; a text is its class."""
        whole, place = ({"class": wanted}, at) if isinstance(wanted, str) else (wanted, (*at, "class"))
        if whole is None or is_matcher(whole):
            return whole
        name = Section(whole, at, self.report, known=ERROR_KEYS).get("class")
        classes = (*get_args(ErrorClass), "invalid_input")
        if isinstance(name, str) and name not in classes:
            hint = did_you_mean(name, classes)
            self.report.at_value(place, f"unknown class of error {quoted(name)}", hint)
        self._check_values(whole, at)
        return whole

    def _check_step(self, wanted: Any, at: At) -> None:
        """Check what is expected of a step: a status, a list of them, or an object."""
        statuses = [(wanted, at)] if isinstance(wanted, str) else []
        if isinstance(wanted, list):
            statuses = [(each, (*at, n)) for n, each in enumerate(wanted)]
        elif not isinstance(wanted, str):
            section = Section(wanted, at, self.report, known=STEP_KEYS)
            if isinstance(wanted, dict):
                self._error(section.get("error"), (*at, "error"))
                self._check_values(wanted, at)
                if isinstance(section.get("status"), str):
                    statuses = [(section.get("status"), (*at, "status"))]
        for status, place in statuses:
            if status not in STEP_STATUSES:
                hint = did_you_mean(str(status), STEP_STATUSES)
                self.report.at_value(place, f"unknown status {quoted(str(status))}", hint)

    def _amounts(
        self, section: Section, key: str, known: Collection[str] | None, noun: str
    ) -> dict[str, Any] | None:
        if key not in section:
            return None
        given, at = section.map(key), (*section.path, key)
        if known is not None:
            self._check_names(given, known, at, noun)
        for name, wanted in given.items():
            self._check_amount(wanted, (*at, name))
        return given

    def _check_amount(self, wanted: Any, at: At) -> None:
        self._check_values(wanted, at)
        if not is_matcher(wanted) and (isinstance(wanted, bool) or not isinstance(wanted, int | float)):
            self.report.at_value(at, f"a number is needed, not {kind(wanted)}", "or {at_most: 4}")

    def _providers(self, section: Section) -> dict[str, Any] | None:
        """Return what the providers' books have to say; a number is how many tasks they accepted."""
        if "providers" not in section:
            return None
        given, at = section.map("providers"), (*section.path, "providers")
        self._check_names(given, SIMULATORS, at, "kind of provider")
        for name, wanted in given.items():
            if is_matcher(wanted) or not isinstance(wanted, dict):
                self._check_amount(wanted, (*at, name))
                continue
            Section(wanted, (*at, name), self.report, known=PROVIDER_KEYS)
            for key, amount in wanted.items():
                self._check_amount(amount, (*at, name, key))
        return {
            name: wanted if isinstance(wanted, dict) and not is_matcher(wanted) else {"tasks": wanted}
            for name, wanted in given.items()
        }

    def _events(self, section: Section) -> dict[str, Any]:
        """Return how often which events have to be in the log; of a list each at least once."""
        given, at = section.get("events"), (*section.path, "events")
        if isinstance(given, list):
            named = [(str(name), (*at, n), {"at_least": 1}) for n, name in enumerate(given)]
        else:
            named = [(name, (*at, name), wanted) for name, wanted in section.map("events").items()]
        for name, place, wanted in named:
            if "*" not in name and name not in TYPES:
                tell = self.report.at_value if isinstance(given, list) else self.report.at_key
                tell(place, f"unknown event {quoted(name)}", did_you_mean(name, sorted(TYPES)))
            if not isinstance(given, list):
                self._check_amount(wanted, place)
        return {name: wanted for name, _, wanted in named}

    def _that(self, section: Section) -> list[ExpressionCondition]:
        given = [section.get("that")] if isinstance(section.get("that"), str) else section.texts("that")
        conditions = []
        for n, text in enumerate(given):
            at = (
                (*section.path, "that", n)
                if isinstance(section.get("that"), list)
                else (*section.path, "that")
            )
            try:
                conditions.append(condition(text, (), IN_TEST))
            except ExpressionError as error:
                self.report.of_expression(at, error)
        return conditions

    # --- below ---

    def _check_values(self, wanted: Any, at: At) -> None:
        """Check every matcher in *wanted*."""
        if (message := complaint(wanted) if is_matcher(wanted) else None) is not None:
            self.report.at_value(at, message)
        elif isinstance(wanted, dict):
            for key, inner in wanted.items():
                self._check_values(inner, (*at, key))
        elif isinstance(wanted, list):
            for n, inner in enumerate(wanted):
                self._check_values(inner, (*at, n))

    def _check_names(
        self,
        given: Collection[str],
        known: Collection[str],
        at: At,
        noun: str,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """Check that each of *given* is known; *keys*: as what it was written."""
        for name in given:
            if name not in known:
                key = name if keys is None else keys[name]
                hint = did_you_mean(name, known) or "there are none"
                self.report.at_key((*at, key), f"unknown {noun} {quoted(name)}", hint)
