"""Read the files that runs refer to, and say of each one that is missing or damaged who refers to it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import orjson

from orchestrator.store.rows import Recorded

Problem = Literal["missing", "damaged", "unreadable"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = "artifact:"
_BESIDE = ("size", "media_type", "fill")
"""What stands beside the digest of a file of ours; data of others may have digests of other things."""

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Unsound:
    """A file that does not hold what its name promises, and who refers to it; *step* None: the run itself."""

    digest: str
    problem: Problem
    run: str
    step: str | None

    def __str__(self) -> str:
        who = f"step '{self.step}' of {self.run} refers" if self.step is not None else f"{self.run} refers"
        return f"{self.digest} is {self.problem}; {who} to it"

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"digest": self.digest, "problem": self.problem, "run": self.run, "step": self.step}


@dataclass(slots=True)
class Files:
    """The files in a folder of artifacts that runs refer to, each read once."""

    folder: Path
    bytes: int = 0
    unsound: dict[Unsound, None] = field(default_factory=dict)
    _found: dict[str, Problem | None] = field(default_factory=dict)
    _steps: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many hold what they should."""
        return sum(problem is None for problem in self._found.values())

    def begin(self) -> None:
        """Begin with the events of another run."""
        self._steps.clear()

    def look(self, record: Recorded) -> None:
        """Read the files that an event refers to, as far as that was not done."""
        if b"sha256:" not in record.data and record.type != "job.created":
            return
        data = orjson.loads(record.data)
        if record.type == "job.created":
            index = data.get("index")
            self._steps[record.subject] = data["step"] if index is None else f"{data['step']}[{index}]"
        for digest in _referred(data):
            if digest not in self._found:
                self._found[digest] = self._read(digest.removeprefix("sha256:"))
            if (problem := self._found[digest]) is not None:
                step = self._steps.get(record.subject, record.subject) or None
                self.unsound[Unsound(digest, problem, record.stream, step)] = None

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        problems = [unsound.to_json() for unsound in self.unsound]
        return {"files": self.count, "bytes": self.bytes, "problems": problems}

    def _read(self, name: str) -> Problem | None:
        found, size = sha256(), 0
        try:
            with (self.folder / "sha256" / name[:2] / name).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    found.update(piece)
                    size += len(piece)
        except FileNotFoundError:
            return "missing"
        except OSError:
            return "unreadable"
        self.bytes += size
        return None if found.hexdigest() == name else "damaged"


def _referred(data: Any) -> Iterator[str]:
    """Yield the digest of every file of ours that is referred to anywhere in *data*."""
    todo = [data]
    while todo:
        at = todo.pop()
        if isinstance(at, str) and at.startswith(_REFERENCE) and _DIGEST.fullmatch(at, len(_REFERENCE)):
            yield at.removeprefix(_REFERENCE)
        elif isinstance(at, dict):
            digest = at.get("digest")
            if isinstance(digest, str) and _DIGEST.fullmatch(digest) and any(name in at for name in _BESIDE):
                yield digest
            todo += at.values()
        elif isinstance(at, list):
            todo += at
