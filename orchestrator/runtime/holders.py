"""Who holds an account: connections of a kind that have the same credentials are one to the provider."""

from hashlib import sha256

from orchestrator.providers.base import Connector


def holder(connection: str, connector: Connector) -> str:
    """
    Return a name that connections have in common that share their credentials.

    It tells nothing of them. One without credentials shares with nobody.
    """
    secrets = [secret.get_secret_value() for secret in connector.secrets()]
    if not secrets:
        return connection
    told = sha256("\0".join([connector.kind, *secrets]).encode()).hexdigest()
    return f"{connector.kind} {told[:16]}"
