"""What a doctor finds, and the findings that need nobody else: versions, folders, workflow files."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.operations.workflows import Found

SQLITE_MENDED = (3, 51, 3)
"""The first SQLite without the bug that can damage a write-ahead log."""

_FREE_LEAST, _FREE_GOOD = 100 * 10**6, 2.0
"""Bytes on a disk with which a server stops soon; how many times `min_free_disk` should be there."""

_TOLD = 5
"""How many problems of workflow files are told one by one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    *ok* None: it may do, but somebody should know. *advice*: what to do, where something is to be done.
    """

    check: str
    ok: bool | None
    message: str
    advice: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {"check": self.check, "ok": self.ok, "message": self.message, "advice": self.advice}


def sqlite_version(version: tuple[int, ...]) -> Finding:
    """Judge the SQLite that this Python brings."""
    text = ".".join(map(str, version))
    if version >= SQLITE_MENDED:
        return Finding("sqlite", True, f"version {text}")
    return Finding(
        "sqlite",
        None,
        f"version {text}: before 3.51.3 a database can be damaged when two programs write to it, or tidy "
        "its write-ahead log, at the same moment",
        "the server alone is safe, as it writes through one connection; let no other program write to the "
        "file or run checkpoints on it, or use a Python with a newer SQLite",
    )


def folder(check: str, path: Path, min_free: int) -> Finding:
    """Judge a folder that the server will write to; it may not be there yet. *min_free* in bytes."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir():
        return Finding(check, False, f"{there} is no folder", "move that file away, or name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            check,
            False,
            f"{there} cannot be written by this user",
            "give it to the user that the server runs as, and call the doctor as that user",
        )
    free = shutil.disk_usage(there).free
    message = f"{path} can be written, {free / 10**9:.1f} GB free"
    if free < max(min_free, _FREE_LEAST):
        least = f"with less than {min_free / 10**9:.1f} GB (min_free_disk) nothing is submitted"
        return Finding(check, False, message, f"make room: {least}")
    if free < min_free * _FREE_GOOD:
        return Finding(check, None, message, "make room, or set retention, before nothing is submitted")
    return Finding(check, True, message)


def retention(runs_s: float | None, artifacts_s: float | None) -> Finding:
    """Say how long what is done is kept, in seconds; None: for ever."""
    if runs_s is None and artifacts_s is None:
        return Finding("retention", True, "everything is kept for ever ([retention] in the settings)")
    kept = [("runs", runs_s), ("files", artifacts_s if artifacts_s is not None else runs_s)]
    told = [f"{what} for {seconds / 86_400:g} days" for what, seconds in kept if seconds is not None]
    return Finding("retention", True, f"ended {' and '.join(told)}")


def workflows(found: Found) -> list[Finding]:
    """Judge the workflow files: the server does not start with one that is wrong."""
    findings = [
        Finding("workflows", False, str(problem), "mend it; `orchestrator validate` checks it alone")
        for problem in found.errors[:_TOLD]
    ]
    if (more := len(found.errors) - _TOLD) > 0:
        findings.append(Finding("workflows", False, f"{more} more problems", "see `orchestrator validate`"))
    if findings:
        return findings
    if not found.workflows:
        return [Finding("workflows", None, "there are none", "put definitions into the folder of workflows")]
    names = ", ".join(sorted(found.workflows))
    return [Finding("workflows", True, f"{len(found.workflows)} valid: {names}")]


def triggers(found: Found) -> list[Finding]:
    """Tell what starts runs besides people, and judge who is let in."""
    hooks = {
        name: one.triggers.webhook for name, one in sorted(found.workflows.items()) if one.triggers.webhook
    }
    findings = [
        Finding(
            "triggers",
            None,
            f"anybody who knows the address /hooks/{name} can start runs of '{name}'",
            "give its webhook trigger a `verify`, with a secret of [secrets]",
        )
        for name, hook in hooks.items()
        if hook.verify is None
    ]
    verified = [f"/hooks/{name} ({hook.verify.scheme})" for name, hook in hooks.items() if hook.verify]
    schedules = sum(len(one.triggers.schedules) for one in found.workflows.values())
    followers = sum(len(one.triggers.runs) for one in found.workflows.values())
    counted = [(schedules, "schedule"), (followers, "run trigger")]
    there = [*verified, *(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counted if count)]
    if there:
        findings.append(Finding("triggers", True, "; ".join(there)))
    return findings


def clock(skew_s: float | None, host: str | None) -> Finding:
    """Judge this machine's clock by how far it is from that of *host*; None where nobody told the time."""
    if skew_s is None:
        return Finding("clock", None, "nobody was asked what time it is")
    message = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {host}"
    advice = "let the clock be set by NTP: logins and signed links depend on it"
    if abs(skew_s) > 30:
        return Finding("clock", False, message, advice)
    if abs(skew_s) > 5:
        return Finding("clock", None, message, advice)
    return Finding("clock", True, f"agrees with {host}")
