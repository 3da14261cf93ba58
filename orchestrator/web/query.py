"""The query of a request: every name and every value checked, and all that is wrong told at once."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from aiohttp import web

from orchestrator.errors import InputProblem, InvalidInput

_T = TypeVar("_T")
_NUMBER = re.compile(r"[0-9]{1,18}")


class Query:
    """
    Reads a query. A name that is not *known* is a problem: a filter that is misspelt would
    otherwise be no filter.

    What is wrong is collected; `check`, after the last value was read, raises it.
    """

    def __init__(self, request: web.Request, *known: str) -> None:
        self._given = request.query
        self._problems: list[InputProblem] = []
        for name in dict.fromkeys(self._given):
            if name not in known:
                self.complain(name, f"there is no such parameter (there are: {', '.join(known) or 'none'})")
            elif len(self._given.getall(name)) > 1:
                self.complain(name, "give it once")

    def complain(self, name: str, message: str) -> None:
        """Note a problem."""
        self._problems.append(InputProblem(name, message))

    def text(self, name: str) -> str | None:
        """Return what was given, None when nothing was."""
        return self._given.get(name)

    def read(self, name: str, reader: Callable[[str], _T]) -> _T | None:
        """Return what *reader* makes of the text; its ValueError is the problem."""
        text = self._given.get(name)
        if text is None:
            return None
        try:
            return reader(text)
        except ValueError as error:
            self.complain(name, str(error))
            return None

    def one_of(self, name: str, choices: Sequence[_T]) -> _T | None:
        """Return the one of *choices* that was given."""

        def choose(text: str) -> _T:
            for choice in choices:
                if choice == text:
                    return choice
            raise ValueError(f"'{text}' is none of {', '.join(map(str, choices))}")

        return self.read(name, choose)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number from *least* to *most*."""

        def count(text: str) -> int:
            if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
                raise ValueError(f"'{text}' is not a whole number from {least} to {most}")
            return int(text)

        found = self.read(name, count)
        return default if found is None else found

    def check(self) -> None:
        """Errors: InvalidInput with all that is wrong."""
        if self._problems:
            raise InvalidInput(self._problems)
