"""What Pixza's objects hold, for workflows that refer to fields. Only what is always there is required."""

from orchestrator.providers.base import Output


class Generation(Output):
    """A generation; `output_url` is its one result once it is completed, `credits_used` what it cost."""

    id: str
    status: str | None = None
    type: str | None = None
    model: str | None = None
    prompt: str | None = None
    output_url: str | None = None
    width: int | None = None
    height: int | None = None
    credits_used: float | None = None
    created_at: str | None = None


class Generated(Generation):
    """A completed generation."""

    output_url: str


class GenerationList(Output):
    """The recent generations that Pixza shows."""

    items: list[Generation]


class ModelInfo(Output):
    """A model; the document does not show its fields."""

    id: str | None = None


class ModelList(Output):
    """The models that Pixza offers."""

    items: list[ModelInfo]


class Credits(Output):
    """The balance; null where Pixza's answer shows none that can be recognised."""

    credits_remaining: float | None
