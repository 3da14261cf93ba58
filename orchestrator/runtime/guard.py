"""
The guard against requests that data could talk us into making to our own network.

A URL in a result, an input or a workflow is somebody else's text, and a name in it
resolves to whatever its owner likes, differently each time. So the guard does not
look at names: it makes the sockets, and is asked for one with the final address of
every single connection, literal or resolved, first request or redirect.

A connection that is once open is pooled and used again without asking. Therefore
there is not one guarded pool with exceptions, but two pools (see `transport`): one
whose every socket was made here, and one that is only ever used for the host of
the asking connection's own base URL. Nothing can pass from one to the other.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from yarl import URL

from orchestrator.errors import Failure, OrchestratorError

_REFUSED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own networks
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, where clouds keep their metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # unspecified, loopback, and IPv4 written as IPv6
        "64:ff9b::/96",  # NAT64: an IPv4 address, private ones included, in disguise
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo and other protocols' addresses
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
"""
Beside `is_global`, which calls several of these global.

Source:  IANA special-purpose address registries for IPv4 and IPv6, multicast included.
"""


class RefusedUrl(OrchestratorError):
    """A URL was not requested, because of where it leads. Nothing was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.failure = Failure("refused_url", reason)


class RefusedAddress(OSError):
    """What the socket factory raises: an OSError, so that other addresses of the name are still tried."""

    def __init__(self) -> None:
        # Always the same text: errors that read alike stay what they are when a name has several addresses.
        super().__init__("the address is in a private or special network")


def is_public(address: str) -> bool:
    """Return whether *address*, as a socket is given it, is one that anybody on the internet may ask for."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_global and not any(ip in network for network in _REFUSED)


def guarded_socket(addr_info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for one connection. Errors: RefusedAddress. For `TCPConnector(socket_factory=…)`."""
    family, kind, protocol, _, address = addr_info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(address[0])):
        raise RefusedAddress
    return socket.socket(family=family, type=kind, proto=protocol)


def read_url(text: str) -> URL:
    """
    Return the http(s) URL that *text* is, exactly as it is written: a signature in it must stay valid.

    Only one that is not ASCII is quoted, as browsers do.
    Errors:  RefusedUrl for anything else, and for one with a user name or password in it,
             which would end up wherever the URL is shown.
    """
    if any(c <= " " or c == "\x7f" for c in text):
        raise RefusedUrl("a URL with spaces or control characters in it is not requested")
    try:
        url = URL(text, encoded=text.isascii())
        is_web, host = url.scheme in ("http", "https"), url.host
        has_login = url.raw_user is not None or url.raw_password is not None
    except ValueError:
        raise RefusedUrl("not a URL that can be requested") from None
    if not is_web or not host:
        raise RefusedUrl("only http and https URLs with a host are requested")
    if has_login:
        raise RefusedUrl(f"a URL with a user name or password in it is not requested (host {host})")
    return url
