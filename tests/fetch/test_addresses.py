"""Which addresses a fetch may reach, over the forms in which an address can be written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import Discard
from shared.fetch.address import REFUSED, check, is_public
from shared.fetch.lookups import look_up
from shared.fetch.transport import PublicTransport

INSIDE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "192.88.99.0/24"),
    *("168.63.129.16/32", "255.255.255.255/32"),
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "192.167.255.255", "100.128.0.1"]


@st.composite
def inside(draw: st.DrawFn) -> IPv4Address:
    network = IPv4Network(draw(st.sampled_from(INSIDE)))
    return network[draw(st.integers(0, network.num_addresses - 1))]


def _in_ipv6(address: IPv4Address) -> dict[str, str]:
    """The IPv6 addresses that lead, or once led, to an IPv4 address."""
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    return {
        "mapped": f"::ffff:{address}",
        "mapped in hex": f"::ffff:{high:x}:{low:x}",
        "mapped in full": f"0:0:0:0:0:ffff:{high:04x}:{low:04x}",
        "compatible": str(IPv6Address(number)),
        "NAT64": f"64:ff9b::{address}",
        "local NAT64": f"64:ff9b:1::{high:x}:{low:x}",
        "6to4": f"2002:{high:x}:{low:x}::1",
        "Teredo": f"2001:0:{high:x}:{low:x}::{~high & 0xFFFF:x}:{~low & 0xFFFF:x}",
        "ISATAP": f"fe80::5efe:{high:x}:{low:x}",
    }


def _as_number(address: IPv4Address) -> list[str]:
    """The forms that `inet_aton` reads as this address."""
    number = int(address)
    a, b, c, d = address.packed
    return [
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{(c << 8) + d}",
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"00{a}.{b}.{c}.{d}",
        f"{address}.",
        "".join(chr(0xFF10 + int(c)) if c != "." else "\u3002" for c in str(address)),
        "".join(f"%{ord(c):02x}" for c in str(address)),
    ]


@given(inside())
def test_no_address_inside_is_public_in_any_ipv6_form(address: IPv4Address) -> None:
    assert not is_public(str(address))
    assert [form for form, ip in _in_ipv6(address).items() if is_public(ip)] == []


@pytest.mark.parametrize("text", OUTSIDE)
def test_public_addresses_are_public_through_the_forms_that_networks_use_today(text: str) -> None:
    forms = _in_ipv6(IPv4Address(text))

    assert is_public(text)
    public = {form for form, ip in forms.items() if is_public(ip)}
    assert public == {"mapped", "mapped in hex", "mapped in full", "NAT64"}


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_only_ordinary_ipv6_is_public(address: IPv6Address) -> None:
    if is_public(str(address)) and address.ipv4_mapped is None:
        assert address.is_global
        assert str(address).startswith(("2", "3", "64:ff9b::"))


@pytest.mark.parametrize(
    "ip",
    [
        *("::", "::1", "fe80::1", "fe80::1%eth0", "2606:4700::1%1", "fc00::1", "fd00:ec2::254"),
        *("ff02::1", "2001:db8::1", "100::1", "5f00::1", "3fff::1", "fec0::1", "", "name", "1.1.1"),
    ],
)
def test_reserved_ipv6_and_what_is_no_address_are_not_public(ip: str) -> None:
    assert not is_public(ip)


def test_ordinary_ipv6_is_public() -> None:
    assert all(map(is_public, ["2606:4700::1111", "2a00:1450:4001:82a::200e", "2001:4860::8888"]))


@given(address=inside(), port=st.sampled_from(["", ":443"]))
def test_no_form_of_an_address_inside_passes_as_a_url(address: IPv4Address, port: str) -> None:
    hosts = [*_as_number(address), str(address), *(f"[{ip}]" for ip in _in_ipv6(address).values())]

    for host in hosts:
        with pytest.raises(Discard, match=REFUSED):
            check(f"https://{host}{port}/a")


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "//example.com/", ""),
        *("https:///a", "https://", "https:example.com", "https:/\\example.com", "https://a b.com"),
        *("https://user@example.com/", "https://user:word@example.com/", "https://:@example.com/"),
        *("https://example.com:22/", "https://example.com:80/", "https://example.com:0443x/"),
        *("https://localhost/", "https://LOCALHOST./", "https://db/", "https://a.localhost/"),
        *("https://a.internal/", "https://metadata.google.internal/", "https://printer.local/"),
        *("https://example.com./", "https://.example.com/", "https://-a.com/", "https://a..com/"),
        *(
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0/",
            "https://a.0x/",
        ),
        *("https://[::1]/", "https://[fe80::1%25lo]/", "https://example.com\n@127.0.0.1/"),
        *(
            "https://example.com\\@127.0.0.1/",
            "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
            "https://exam\u0000ple.com/",
        ),
        "https://example.com/" + "a" * 2048,
        "https://" + "a." * 130 + "com/",
    ],
)
def test_what_is_not_a_plain_public_https_address_is_refused_with_one_text(url: str) -> None:
    with pytest.raises(Discard) as caught:
        check(url)

    assert str(caught.value) == REFUSED


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://prices.example.com/a.csv?sig=1#x", "prices.example.com"),
        ("HTTPS://Prices.Example.COM:443/", "prices.example.com"),
        ("https://1.1.1.1/", "1.1.1.1"),
        ("https://[2606:4700::1111]/", "2606:4700::1111"),
        ("https://bücher.example/", "bücher.example"),
        ("https://a_b.s3.amazonaws.com/", "a_b.s3.amazonaws.com"),
    ],
)
def test_public_addresses_pass(url: str, host: str) -> None:
    assert check(url).host == host


@given(private=inside(), public=st.sampled_from(OUTSIDE), last=st.booleans())
async def test_a_name_with_one_address_inside_is_never_connected_to(
    private: IPv4Address, public: str, *, last: bool
) -> None:
    connected: list[httpx.Request] = []

    def connect(request: httpx.Request) -> httpx.Response:
        connected.append(request)
        return httpx.Response(204)

    for form in [str(private), *_in_ipv6(private).values()]:
        found = [public, form] if last else [form, public]

        async def resolve(_host: str, found: list[str] = found) -> list[str]:
            return found

        transport = PublicTransport(resolve=resolve, inner=httpx.MockTransport(connect))
        with pytest.raises(httpx.ConnectError, match="no public server answers"):
            await transport.handle_async_request(httpx.Request("GET", "https://name.example/"))

    assert connected == []


@given(inside())
async def test_what_the_resolver_reads_as_an_address_inside_is_not_public(
    address: IPv4Address,
) -> None:
    """A resolver reads more forms than a URL may have: they are judged as read."""
    for form in [str(int(address)), hex(int(address)), str(address)]:
        found = await look_up(form)
        assert [ip_address(ip) for ip in found] == [address]
        assert not any(map(is_public, found))
