"""The types of the pillar's values: each a function that returns what is wrong and what to do, or None.

Pure: no Salt, no I/O. `kube_node_schema` says which key has which type.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], "str | None"]

# RFC 1123, as k8s.io/apimachinery/pkg/util/validation has it.
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_QUALIFIED_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_RELEASE = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._@+:-]+)+")
_BOOTSTRAP_TOKEN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# distribution/reference's grammar, without its length bookkeeping.
_IMAGE = re.compile(
    r"[a-z0-9](?:[a-zA-Z0-9.:_/-]*[a-zA-Z0-9])?(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_SOURCE = re.compile(r"(?:salt|file|https)://(?:[A-Za-z0-9._~/:@+=&?,-]|\{architecture\}|\{version\})+")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:-]*")
_MIRROR = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_COUNTRY = re.compile(r"[A-Z]{2}")
_SUBJECT_PART = re.compile(r"[^\x00-\x1f\x7f]+")
_LOG_SIZE = re.compile(r"[1-9][0-9]*[kmg]?")
_KERNEL_MODULE = re.compile(r"[a-z0-9_]+")
_SYSCTL = re.compile(r"[a-z0-9_-]+(?:\.[A-Za-z0-9_/-]+)+")
_SYSCTL_VALUE = re.compile(r"[A-Za-z0-9_.:/-]+(?: [A-Za-z0-9_.:/-]+)*")
_SOCKET = re.compile(r"unix://(?:/[A-Za-z0-9._@+:-]+)+")
_API_SERVER = re.compile(r"https://(?:\[(?P<six>[^]]+)\]|(?P<host>[^]:/[]+))(?::(?P<port>[0-9]{1,5}))?/?")
# What a fault never shows: a bootstrap token, wherever a slip put it.
TOKEN_WITHIN = re.compile(r"(?<![a-z0-9])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9])")
_CREDENTIALS = re.compile(r"(?<=://)[^/@ ]*:[^/@ ]*@")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def shown(value: Any) -> str:
    """Return `value` as a fault shows it: one short line without secrets, whatever it is."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except ValueError:  # an integer of thousands of digits
        return "this number"
    if "PRIVATE KEY" in text:
        return "a private key"
    text = TOKEN_WITHIN.sub("<a bootstrap token>", text)
    text = _CREDENTIALS.sub("<credentials>@", text)
    text = text.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    return text if len(text) <= 80 else f"{text[:77]}..."


def shown_key(key: Any) -> str:
    """Return a mapping's key as a part of a path shows it."""
    plain = isinstance(key, str) and re.fullmatch(r"[A-Za-z0-9_./-]{1,63}", key)
    return TOKEN_WITHIN.sub("<a bootstrap token>", key) if plain else shown(key)


def matching(pattern: re.Pattern[str], limit: int, wanted: str) -> Check:
    """Return a check for a text of at most `limit` characters that is all `pattern`."""

    def check(value: Any) -> str | None:
        if isinstance(value, str) and len(value) <= limit and pattern.fullmatch(value):
            return None
        return f"{shown(value)} is not {wanted}"

    return check


release = matching(_RELEASE, 32, "a full release, write it as X.Y.Z, for instance 1.36.2")
name = matching(_SUBDOMAIN, 253, "a lower-case RFC 1123 name, use letters a-z, digits, '-' and '.'")
path = matching(_PATH, 4096, "an absolute path, write one without '..', white space, quotes, '%' or '$'")
subject_part = matching(_SUBJECT_PART, 64, "a part of a certificate's subject, write 1 to 64 characters")
sha256 = matching(_SHA256, 64, "a SHA-256 digest, write the 64 hex digits that sha256sum prints")
socket = matching(_SOCKET, 108, "a socket, write one such as unix:///run/containerd/containerd.sock")
kernel_module = matching(_KERNEL_MODULE, 64, "a kernel module, write one as lsmod does, such as br_netfilter")
sysctl = matching(_SYSCTL, 256, "a kernel parameter, write one such as net.ipv4.ip_forward")
image = matching(_IMAGE, 512, "an image reference, write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST")
country = matching(_COUNTRY, 2, "a country, write its two letters such as DE")
mirror = matching(_MIRROR, 2048, "a registry's URL, write one such as https://mirror.example.org")
log_size = matching(_LOG_SIZE, 16, "a size, write a whole number with k, m or g such as 10m, in quotes")
package = matching(_PACKAGE, 256, "a package's name, write the one that apt or dnf knows")
source = matching(_SOURCE, 2048, "a source, write a folder as salt://…, file://… or https://…")


def bootstrap_token(value: Any) -> str | None:
    """Check a bootstrap token; the fault does not show it, it may be a secret with a slip."""
    if isinstance(value, str) and _BOOTSTRAP_TOKEN.fullmatch(value):
        return None
    return "is not a bootstrap token, write 6 and 16 characters a-z0-9 as in abcdef.0123456789abcdef"


def absolute_path(value: Any) -> str | None:
    """Check an absolute path that stays what it says (no `.` or `..` in it)."""
    if fault := path(value):
        return fault
    if {".", ".."} & set(value.split("/")):
        return f"{shown(value)} has '.' or '..' in it, write the path it leads to"
    return None


def text(value: Any) -> str | None:
    """Check a line of printable text."""
    if not isinstance(value, str):
        return f"{shown(value)} is not text, write it in quotes"
    if value and value.isprintable():
        return None
    return f"{shown(value)} is not a line of text, write one without control characters"


def boolean(value: Any) -> str | None:
    """Check a boolean."""
    return None if isinstance(value, bool) else f"{shown(value)} is not a boolean, write true or false"


def integer(low: int, high: int) -> Check:
    """Return a check for a whole number in [low, high]."""

    def check(value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return None
        return f"{shown(value)} is not a whole number from {low} to {high}, write one without quotes"

    return check


def domain(value: Any) -> str | None:
    """Check a DNS domain, with a dot at its end or without one."""
    return name(value.removesuffix(".") if isinstance(value, str) else value)


def sysctl_value(value: Any) -> str | None:
    """Check a kernel parameter's value: a whole number, or numbers and words with blanks between."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return None
    if isinstance(value, str) and len(value) <= 256 and _SYSCTL_VALUE.fullmatch(value):
        return None
    return f"{shown(value)} is not a kernel parameter's value, write a number such as 1"


def one_of(*choices: str) -> Check:
    """Return a check for one of `choices`."""

    def check(value: Any) -> str | None:
        if isinstance(value, str) and value in choices:
            return None
        return f"{shown(value)} is not known, choose one of {', '.join(choices)}"

    return check


def swap(value: Any) -> str | None:
    """Check what becomes of swap; YAML takes a bare off for false."""
    if value is False or (isinstance(value, str) and value in ("off", "keep")):
        return None
    return f"{shown(value)} is not known, write off to have it turned off, or keep"


def list_of(item: Check) -> Check:
    """Return a check for a list without duplicates, each item checked by `item`."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return f"{shown(value)} is not a list, write one item a line after '- '"
        for entry in value:
            if fault := item(entry):
                return fault
        if len({str(entry) for entry in value}) < len(value):
            return f"{shown(value)} names an item twice, keep one of them"
        return None

    return check


def map_of(key: Check, item: Check) -> Check:
    """Return a check for a mapping, keys checked by `key` and values by `item`."""

    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return f"{shown(value)} is not a mapping, write 'key: value' lines"
        for entry, content in value.items():
            if fault := key(entry) or item(content):
                return fault
        return None

    return check


def address(value: Any) -> str | None:
    """Check an IPv4 or IPv6 address; one with a zone (`%eth0`) means nothing to other machines."""
    try:
        ipaddress.ip_address(value if isinstance(value, str) and "%" not in value else "")
    except ValueError:
        return f"{shown(value)} is not an IP address, write one such as 192.168.1.42"
    return None


def cidr(value: Any) -> str | None:
    """Check a network in CIDR form, without host bits."""
    wanted = f"{shown(value)} is not a network in CIDR form, write one such as 10.68.0.0/16"
    if not isinstance(value, str) or "/" not in value or "%" in value:
        return wanted
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return wanted
    return None if value == str(network) else f"{shown(value)} is an address in a network, write {network}"


def service_cidr(value: Any) -> str | None:
    """Check the network of services, which kube-apiserver takes from 8 addresses on."""
    if fault := cidr(value):
        return fault
    if ipaddress.ip_network(value).num_addresses < 8:
        return f"{shown(value)} has no room for services, choose a network of 8 addresses or more"
    return None


def api_server(value: Any) -> str | None:
    """Check the API server's URL: https, a host, perhaps a port, nothing else."""
    url = _API_SERVER.fullmatch(value) if isinstance(value, str) else None
    sound = url and not (address(url["six"]) if url["six"] else name(url["host"].lower()))
    if sound and 0 < int(url["port"] or 443) < 65536:
        return None
    return f"{shown(value)} is not the API server's URL, write https://HOST:PORT"


def qualified_name(value: Any) -> str | None:
    """Check a label's key: [PREFIX/]NAME (k8s.io/apimachinery IsQualifiedName)."""
    wanted = (
        f"{shown(value)} is not a label key, write NAME or PREFIX/NAME with letters, digits, '-', '_' and '.'"
    )
    if not isinstance(value, str):
        return wanted
    prefix, slash, last = value.rpartition("/")
    if not _QUALIFIED_NAME.fullmatch(last) or (slash and name(prefix)):
        return wanted
    return None


def label_value(value: Any) -> str | None:
    """Check a label's value: empty, or at most 63 letters, digits, '-', '_' and '.'."""
    if isinstance(value, str) and (not value or _QUALIFIED_NAME.fullmatch(value)):
        return None
    return (
        f"{shown(value)} is not a label value, write at most 63 letters, digits, '-', '_' or '.', in quotes"
    )


def taints(value: Any) -> str | None:
    """Check a node's taints: no two of one key and effect (core/v1 validation, validateNodeTaints)."""
    if fault := list_of(taint)(value):
        return fault
    known: set[tuple[str, str]] = set()
    for entry in value:
        if (one := (entry["key"], entry["effect"])) in known:
            return f"{shown(one[0])} has the effect {one[1]} twice, keep one of them"
        known.add(one)
    return None


def taint(value: Any) -> str | None:
    """Check a taint: `{key, value, effect}` (core/v1 Taint)."""
    if not isinstance(value, dict) or set(value) - {"key", "value", "effect"}:
        return f"{shown(value)} is not a taint, write {{key: …, value: …, effect: NoSchedule}}"
    return (
        qualified_name(value.get("key"))
        or label_value(value.get("value", ""))
        or one_of(*_EFFECTS)(value.get("effect"))
    )


def image_archive(value: Any) -> str | None:
    """Check an archive of images: `{source, sha256, images}`, the images by tag as the archive has them."""
    if not isinstance(value, dict) or set(value) != {"source", "sha256", "images"}:
        return f"{shown(value)} is not an archive, write {{source: …, sha256: …, images: [NAME:TAG]}}"
    if fault := source(value["source"]) or sha256(value["sha256"]) or list_of(image)(value["images"]):
        return fault
    if by_digest := [one for one in value["images"] if "@" in one]:
        return f"{shown(by_digest[0])} goes by digest, write NAME:TAG: sha256 of the archive says which it is"
    return None if value["images"] else f"{shown(value['source'])} has no images, name those that are in it"
