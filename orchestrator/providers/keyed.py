"""What accounts with an API key have in common: the key is all there is to show, and nobody logs in."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import SecretStr

from orchestrator.providers.base import (
    Callback,
    CallbackMeaning,
    ConnectionSettings,
    Exchange,
    Failed,
    Login,
    Meaningless,
    Operation,
    Reply,
    Retry,
    Task,
)


class Keyed:
    """
    A connector whose credentials are one API key.

    As it stands its provider calls nobody back and shows no balance; a subclass names its
    *kind* and says what is different.
    """

    kind: str

    def __init__(
        self, settings: ConnectionSettings, api_key: SecretStr, operations: Iterable[Operation]
    ) -> None:
        self.settings = settings
        self.operations: Mapping[str, Operation] = {operation.name: operation for operation in operations}
        self._api_key = api_key

    def headers(self, token: str | None) -> Mapping[str, str]:
        """Return the header that carries the key."""
        return {"Authorization": f"Bearer {self._api_key.get_secret_value()}"}

    def secrets(self) -> Sequence[SecretStr]:
        """Return the key."""
        return [self._api_key]

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        """Return None: the key itself is sent with every request."""
        return None

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Say nothing: whoever calls back is not the provider."""
        return Meaningless()

    def read_credits(self, reply: Reply) -> float | None:
        """Return nothing: no balance is documented."""
        return None
