"""What workflows see of Perfect's results; fields beyond these are kept."""

from orchestrator.providers.base import Output


class ResultEntry(Output):
    """
    One picture of a result.

    *dst_id* may serve as `{file_id: …}` of another operation without an upload;
    *url* is valid for two hours, the artifact beside it stays.
    """

    dst_id: str | None = None
    url: str


class Results(Output):
    """The pictures, in the order of the step's artifacts."""

    results: list[ResultEntry]


class AgedEntry(ResultEntry):
    """One picture of a face at an age, in years."""

    res_age: int | None = None


class AgingInfo(Output):
    """What the provider read from the uploaded face; ages in years. Its indices count the upload too."""

    age: int | None = None
    age_idx: int | None = None
    age_min: int | None = None
    age_max: int | None = None
    num_of_photos: int | None = None


class AgingResults(Output):
    """The generated pictures by ascending age, without the uploaded one."""

    results: list[AgedEntry]
    custom_info: AgingInfo | None = None


class UploadedFile(Output):
    """A file that the provider keeps for a day."""

    file_id: str


class StyleInfo(Output):
    """How a style or group is shown to people; *thumb* is a URL, of styles only."""

    title: str | None = None
    thumb: str | None = None


class Style(Output):
    """A style, or a group of styles."""

    id: int
    info: StyleInfo | None = None


class StylePage(Output):
    """One page of a list; *next* is the `starting_token` of the page after it, absent on the last."""

    items: list[Style]
    next: str | None = None
