"""The kinds of value that settings hold, each with its own sentence for what does not fit."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from orchestrator import durations

KIB, MIB, GIB = 2**10, 2**20, 2**30

SECRET_KEY_LENGTH_MIN = 32
"""Characters. As hexadecimal digits this is 128 bits, as much as a callback token's tag."""

SHARED_SECRET_LENGTH_MIN = 8
"""Characters. A shorter one can be guessed, and could not be told from other text in a log."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener is bound; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that `host:port` or `[IPv6]:port` says. Errors: ValueError."""
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", text)
        if match is None or int(match[3]) > 65_535:
            raise ValueError("an address is host:port, such as 127.0.0.1:8080 or [::1]:8080")
        return cls(match[1] or match[2], int(match[3]))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: Any) -> Any:
    return Address.parse(value) if isinstance(value, str) else value


_SIZE_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": KIB, "mib": MIB, "gib": GIB}


def _size(value: Any) -> Any:
    if not (size := _size_or_none(value)):
        raise ValueError("a size must be greater than zero")
    return size


def _size_or_none(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a size is a whole number of bytes or a text such as 512MiB")
    match = re.fullmatch(r"([0-9]{1,15}) ?([A-Za-z]{0,3})", str(value))
    if match is None or match[2].lower() not in _SIZE_UNITS:
        raise ValueError("a size is a whole number of bytes or a text such as 512MiB")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]


def _duration(value: Any) -> Any:
    if not (seconds := durations.seconds(str(value))):
        raise ValueError("a duration must be greater than zero")
    return seconds


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write the whole address, such as https://hooks.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("only scheme, host, port and path may be given")
    return url.rstrip("/")


def _store_url(url: str) -> str:
    if url.startswith(("postgresql:", "postgres:")):
        raise ValueError("PostgreSQL comes in a later release; use sqlite:///data/orchestrator.db")
    path = url.removeprefix("sqlite:///")
    if path == url or not path.strip("/") or path.endswith("/") or re.search(r"[?#:]", path):
        raise ValueError("write sqlite:///relative/path.db or sqlite:////absolute/path.db")
    return url


def _folder(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("s3:"):
        raise ValueError("S3 comes in a later release; use a folder")
    if isinstance(value, str) and (not value or "://" in value):
        raise ValueError("write the path of a folder")
    return value


def _connection_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*", name) or name == "core":
        raise ValueError(
            "a connection's name starts with a letter, has small letters, digits, single _ and -, "
            "and is not 'core'"
        )
    return name


def _secret_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*", name):
        raise ValueError("a secret's name starts with a letter and has small letters, digits, single _ and -")
    return name


def _shared_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHARED_SECRET_LENGTH_MIN:
        raise ValueError(f"a secret has at least {SHARED_SECRET_LENGTH_MIN} characters")
    return secret


def _secret_key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < SECRET_KEY_LENGTH_MIN:
        raise ValueError(
            f"a secret key has at least {SECRET_KEY_LENGTH_MIN} characters, "
            "as `openssl rand -hex 32` makes them"
        )
    return key


Listener = Annotated[Address, BeforeValidator(_address)]
Size = Annotated[int, BeforeValidator(_size)]
SizeOrNone = Annotated[int, BeforeValidator(_size_or_none)]
Duration = Annotated[float, BeforeValidator(_duration)]
Folder = Annotated[Path, BeforeValidator(_folder)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
ConnectionName = Annotated[str, AfterValidator(_connection_name)]
SecretName = Annotated[str, AfterValidator(_secret_name)]
SharedSecret = Annotated[SecretStr, AfterValidator(_shared_secret)]
SecretKey = Annotated[SecretStr, AfterValidator(_secret_key)]
