"""The server's secret keys: the configured ones, or a key of our own in the data folder."""

import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile

from orchestrator.errors import SettingsError
from orchestrator.settings.places import error_text
from orchestrator.settings.schema import Settings
from orchestrator.settings.values import SECRET_KEY_LENGTH_MIN


def ensure_secret_keys(settings: Settings) -> list[str]:
    """
    Return the configured secret keys, else those of the data folder, made there when there are none.

    Two processes that start at once end with the same key: the file appears whole or not at
    all, and never replaces another. Its randomness does not come from the clock that tests
    hand in, because a key that can be foreseen is none.
    Errors:  SettingsError when the file cannot be read or written, or holds no good key.
    """
    if settings.secret_keys:
        return [key.get_secret_value() for key in settings.secret_keys]
    path = secret_keys_file(settings)
    try:
        if not path.exists():
            _create_once(path, secrets.token_hex(32) + "\n")
        keys = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error_text(error)}; give secret_keys, or make it readable") from error
    if not keys or any(len(key) < SECRET_KEY_LENGTH_MIN for key in keys):
        raise SettingsError(
            f"{path}: one key of at least {SECRET_KEY_LENGTH_MIN} characters a line is expected; restore "
            "the file from the backup, because callbacks under way are signed with its keys"
        )
    return keys


def secret_keys_file(settings: Settings) -> Path:
    """Return where the keys are that were made by us, unless the settings give others."""
    return settings.data_folder / "secret_keys"


def _create_once(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A temporary file is made with mode 0600, and linking it gives up where the name is taken.
    with NamedTemporaryFile("w", dir=path.parent, prefix=".secret_keys-", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
