"""What came of many test cases: a sentence, an object for machines, JUnit XML for build servers."""

from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from orchestrator.cli.narration import tell_all
from orchestrator.cli.render import plain
from orchestrator.rehearsal.cases import TestFile
from orchestrator.rehearsal.verdict import Result


@dataclass(slots=True)
class Report:
    """The results so far, in their order."""

    results: list[tuple[TestFile, Result]] = field(default_factory=list)

    def add(self, file: TestFile, result: Result) -> None:
        self.results.append((file, result))

    @property
    def failed(self) -> int:
        """How many cases did not pass."""
        return sum(not result.passed for _, result in self.results)

    @property
    def simulated_s(self) -> float:
        """How much time passed for all of them together."""
        return sum(result.performance.virtual_s for _, result in self.results)

    def summary(self) -> str:
        """Return a sentence: `11 passed, 1 failed`."""
        passed = len(self.results) - self.failed
        return f"{passed} passed, {self.failed} failed" if self.failed else f"{passed} passed"

    def to_json(self) -> dict[str, Any]:
        """Return everything for machines."""
        return {
            "passed": len(self.results) - self.failed,
            "failed": self.failed,
            "cases": [
                {
                    "file": str(file.path),
                    "line": result.case.line,
                    "workflow": file.workflow.name,
                    **_case(result),
                }
                for file, result in self.results
            ],
        }

    def junit(self) -> bytes:
        """Return JUnit XML: a suite per test file, a test case per case."""
        root = Element("testsuites", tests=str(len(self.results)), failures=str(self.failed))
        for path in dict.fromkeys(file.path for file, _ in self.results):
            own = [(file, result) for file, result in self.results if file.path == path]
            suite = SubElement(
                root,
                "testsuite",
                name=str(path),
                tests=str(len(own)),
                failures=str(sum(not result.passed for _, result in own)),
                errors="0",
                time=f"{sum(result.performance.took_s for _, result in own):.3f}",
            )
            for file, result in own:
                _junit_case(suite, file, result)
        return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _case(result: Result) -> dict[str, Any]:
    came = result.performance
    return {
        "name": result.case.name,
        "passed": result.passed,
        "took_s": round(came.took_s, 3),
        "simulated_s": round(came.virtual_s, 3),
        "differences": [difference.to_json() for difference in result.differences],
        "run": came.run,
        "providers": came.books,
    }


def _junit_case(suite: Element, file: TestFile, result: Result) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=file.workflow.name,
        name=result.case.name,
        file=str(file.path),
        line=str(result.case.line),
        time=f"{result.performance.took_s:.3f}",
    )
    if result.passed:
        return
    first = result.differences[0]
    failure = SubElement(case, "failure", message=_xml(f"{first.at}: expected {first.expected}"))
    failure.text = _xml(
        "\n".join(f"{d.at}\n- expected {d.expected}\n+ found    {d.found}" for d in result.differences)
    )
    told = "\n".join(told.text().plain for told in tell_all(result.performance.events))
    SubElement(case, "system-out").text = _xml(told)


def _xml(text: str) -> str:
    """Return *text* with nothing in it that XML cannot hold."""
    return "".join(c for c in plain(text) if c in "\n\t" or c >= " ")
