"""Finds test files and plays their cases, several at a time where there are cores for it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from orchestrator.definition.catalog import Catalog
from orchestrator.errors import Problem
from orchestrator.operations.workflows import is_test
from orchestrator.rehearsal.cases import Case, TestFile
from orchestrator.rehearsal.drawings import is_picture
from orchestrator.rehearsal.reading import read_tests
from orchestrator.rehearsal.stage import Part, play
from orchestrator.rehearsal.verdict import Result, judge
from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Found:
    """The test files among some paths, and everything that is wrong with them."""

    files: Sequence[TestFile]
    problems: Sequence[Problem]

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]


def find(paths: Sequence[Path], catalog: Catalog) -> Found:
    """Read every test file among *paths*; a folder stands for all in it and below, a workflow for its own."""
    problems: list[Problem] = []
    files: list[TestFile] = []
    for path in _test_files(paths, problems):
        read = read_tests(path, catalog)
        problems.extend(problem for problem in read.problems if problem not in problems)
        if read.file is not None:
            files.append(read.file)
    return Found(files, problems)


def _test_files(paths: Sequence[Path], problems: list[Problem]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(sorted(child for child in path.rglob("*") if is_test(child)))
        elif is_test(path) or not path.exists():
            found[path] = None
        else:
            beside = [path.with_name(f"{path.stem}.test{suffix}") for suffix in (".yaml", ".yml")]
            there = [each for each in beside if each.is_file()]
            found |= dict.fromkeys(there)
            if not there:
                problems.append(Problem(file=str(path), message=f"there is no {beside[0].name} beside it"))
    return list(found)


def selected(files: Sequence[TestFile], pattern: str) -> list[tuple[TestFile, Case]]:
    """Return the cases whose name, with that of their workflow, holds *pattern*; upper or lower case."""
    return [
        (file, case)
        for file in files
        for case in file.cases
        if pattern.lower() in f"{file.workflow.name} {case.name}".lower()
    ]


def results(
    cases: Sequence[tuple[TestFile, Case]], settings: Settings, *, jobs: int, patience_s: float
) -> Iterator[tuple[TestFile, Result]]:
    """Play *cases* and yield what came of each, in their order."""
    if jobs <= 1 or len(cases) <= 1:
        for file, case in cases:
            came = play(_part(file, case), settings, patience_s=patience_s)
            yield file, judge(case, file.workflow, came)
        return
    # Started anew rather than forked: nothing of this process, which has threads, is theirs.
    with ProcessPoolExecutor(min(jobs, len(cases)), mp_context=get_context("spawn")) as pool:
        plays = [
            pool.submit(play, _part(file, case), settings, patience_s=patience_s) for file, case in cases
        ]
        try:
            for (file, case), played in zip(cases, plays, strict=True):
                yield file, judge(case, file.workflow, played.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _part(file: TestFile, case: Case) -> Part:
    workflow, scene = file.workflow, case.scene
    missing = workflow.required - scene.inputs.keys() if case.expect.status != "refused" else frozenset[str]()
    drawn = {name: workflow.inputs[name].get("type") == "array" for name in sorted(missing)}
    pictures = {name: is_list for name, is_list in drawn.items() if is_picture(workflow.inputs[name])}
    return Part(workflow.name, file.definition.parent, scene, pictures)
