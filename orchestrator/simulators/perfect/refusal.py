"""The answer to a request that is not granted."""

from typing import Any


class Refusal(Exception):
    """A request is refused: *status* is HTTP's, *code* the `error_code`, the message is for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"status": self.status, "error": str(self), "error_code": self.code}


def invalid(message: str) -> Refusal:
    """Return the refusal of a request that breaks the document's rules."""
    return Refusal(400, "InvalidParameters", message)
