"""Everything an operator may set, with its default and a sentence."""

from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestrator.errors import SettingsError
from orchestrator.settings.places import Places, explain
from orchestrator.settings.values import (
    GIB,
    MIB,
    Address,
    ConnectionName,
    Duration,
    Folder,
    Listener,
    PublicUrl,
    SecretKey,
    SecretName,
    SharedSecret,
    Size,
    SizeOrNone,
    StoreUrl,
)

_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Listen(BaseModel):
    """Where the two listeners are bound."""

    model_config = _STRICT

    public: Listener = Address("127.0.0.1", 8080)
    """Callbacks, hooks and signed artifact links: what a reverse proxy may show to the internet."""
    admin: Listener = Address("127.0.0.1", 8081)
    """Pages, API and metrics; beyond loopback only with an API key, so not yet."""

    @field_validator("admin")
    @classmethod
    def _within_reach_of_nobody_else(cls, admin: Address) -> Address:
        # Whoever reaches this listener spends credits, and nothing asks who it is.
        if not admin.is_loopback:
            raise ValueError(
                "API keys come in a later release, and without them the admin listener is bound to loopback "
                "alone: use 127.0.0.1:8081, and from another machine ssh -L 8081:127.0.0.1:8081"
            )
        return admin

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.public == self.admin and self.public.port:
            raise ValueError("public and admin must not be the same address")
        return self


class Limits(BaseModel):
    """What is refused for being too big or too slow. Sizes in bytes, times in seconds."""

    model_config = _STRICT

    artifact_size: Size = 512 * MIB
    """One file that is downloaded or uploaded."""
    download_time: Duration = 600.0
    """One download of a result, from request to last byte."""
    run_body_size: Size = 64 * MIB
    """The body of `POST /runs`, which may carry images as data URIs."""
    callback_body_size: Size = MIB
    """The body of one callback."""


class Retention(BaseModel):
    """How long what is done is kept, in seconds; what is not set is kept for ever."""

    model_config = _STRICT

    runs: Duration | None = None
    """Runs that have ended, with their events, jobs and deliveries."""
    deliveries: Duration | None = None
    """Requests on callback URLs, as they came; what was made of them stays in the log."""
    artifacts: Duration | None = None
    """Files of runs that have ended, while the runs are kept. Uploads that no run uses have a day."""


class Settings(BaseModel):
    """Everything an operator may set. Its representation shows no secret."""

    model_config = _STRICT

    public_url: PublicUrl | None = None
    """What providers call back, without a slash at the end."""
    callbacks: Literal["on", "off"] = "on"
    """`off` where there is no public address: checks alone carry the runs."""
    store: StoreUrl = "sqlite:///data/orchestrator.db"
    """The database. The folder it lies in is the data folder."""
    artifacts: Folder = Path("data/artifacts")
    """The folder that keeps images, videos and other results."""
    workflows: Folder = Path("workflows")
    """The folder of workflow files."""
    secret_keys: list[SecretKey] = Field(default_factory=list)
    """Sign callback URLs and artifact links; the newest comes first and signs, all are accepted."""
    min_free_disk: SizeOrNone = GIB
    """With less than this free where the data and the artifacts are, nothing is submitted; 0: never mind."""
    allow_private_networks: StrictBool = False
    """Whether outgoing requests may reach private, loopback and link-local addresses."""
    listen: Listen = Listen()
    """Where the two listeners are bound."""
    limits: Limits = Limits()
    """What is refused for being too big or too slow."""
    retention: Retention = Retention()
    """How long what is done is kept; what is not set is kept for ever."""
    providers: dict[ConnectionName, dict[str, Any]] = Field(default_factory=dict, repr=False)
    """One raw table per connection; see `read_connection`."""
    secrets: dict[SecretName, SharedSecret] = Field(default_factory=dict)
    """Shared with those who send webhooks or are told of runs, by the names that workflows know them by."""

    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def store_path(self) -> Path:
        """Where the database file lies."""
        return Path(self.store.removeprefix("sqlite:///"))

    @property
    def data_folder(self) -> Path:
        """Where the database, its lock and the secret keys made by us lie."""
        return self.store_path.parent


def callback_base(settings: Settings) -> str | None:
    """
    Return the address that callback URLs start with, or None while callbacks are off.

    Errors:  SettingsError when callbacks are on and nobody said where they arrive.
    """
    if settings.callbacks == "off":
        return None
    if settings.public_url is None:
        raise SettingsError(
            f"{settings._places.file}: needs 'public_url', the address under which providers reach the "
            'public listener (or callbacks = "off", to learn of results by asking alone)'
        )
    return settings.public_url


def connection_tables(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return each connection's own table by name, its kind (by default its name) filled in."""
    return {name: {"kind": name, **deepcopy(table)} for name, table in settings.providers.items()}


M = TypeVar("M", bound=BaseModel)


def read_connection(settings: Settings, name: str, model: type[M]) -> M:
    """
    Return the connection's table as *model*, the settings of its kind.

    Errors:  SettingsError with every problem of this table, each on a line with its place.
    """
    try:
        return model.model_validate(connection_tables(settings)[name])
    except ValidationError as error:
        problems = explain(error, model, settings._places, ("providers", name))
        raise SettingsError("\n".join(problems)) from None
