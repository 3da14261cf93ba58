"""What Pixu's operations end with: ids, since its document names no way to fetch anything."""

from orchestrator.providers.base import Output


class TrainedModel(Output):
    """A trained model; `modelUid` is what the other operations take as `model_uid`."""

    modelUid: str


class RequestedImages(Output):
    """Images that are ready at Pixu, under this id."""

    request_uid: str
