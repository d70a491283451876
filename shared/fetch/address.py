"""Addresses: which URLs may be fetched, and which IP addresses are public. Pure, no look-ups."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpx

from ..errors import Discard

PORTS = frozenset({443})
LONGEST = 2048
REFUSED = "give an https:// address of a public server, without a user name and without a port"
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "onion")
"""Last labels of names that only a private network resolves."""
_ORDINARY = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/23"), IPv6Network("3fff::/20"))
"""6to4; Teredo, ORCHID and benchmarks; examples in documents. Nothing public is served there."""
_NOT_SERVERS = tuple(map(IPv4Network, ("168.63.129.16/32", "192.88.99.0/24", "192.0.0.0/24")))
"""Azure's own host and the relays of 6to4, which the registry calls public; and the block of
protocols (RFC 6890), most of which `is_global` calls public before Python 3.11.10 and 3.12.4."""


def check(address: str) -> httpx.URL:
    """The address as a URL. Raises Discard, always with the same text, unless it is https, port 443
    and a public host: a name with a dot, or an IP address in its usual form."""
    try:
        url = httpx.URL(address)
        host = host_of(url)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise Discard(REFUSED) from None
    fits = len(address) <= LONGEST and url.scheme == "https" and not url.userinfo
    if not fits or (url.port or 443) not in PORTS or not _is_public_host(host):
        raise Discard(REFUSED)
    return url


def host_of(url: httpx.URL) -> str:
    """The URL's host as resolvers and certificates have it: other alphabets in ASCII (xn--…)."""
    return url.raw_host.decode("ascii")


def is_public(ip: str) -> bool:
    """True for the address of a public server. An IPv4 address inside an IPv6 one is what counts;
    tunnels (6to4, Teredo), multicast and every reserved range are not public."""
    try:
        address: IPv4Address | IPv6Address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        embedded = address.ipv4_mapped
        if embedded is None and address in _NAT64:
            embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
        if embedded is None:
            inside = any(address in network for network in _TUNNELS)
            return address in _ORDINARY and not inside and address.is_global
        address = embedded
    reserved = address.is_multicast or any(address in network for network in _NOT_SERVERS)
    return address.is_global and not reserved


def _is_public_host(host: str) -> bool:
    try:
        return is_public(str(ipaddress.ip_address(host)))
    except ValueError:
        last = host.rpartition(".")[2]
        # 127.1, 0x7f.1, 2130706433: resolvers read a last label that is a number as an address.
        return bool(_NAME.match(host)) and not _NUMBER.match(last) and last not in _INSIDE
