"""Names as HubSpot takes them: properties, events, event properties, domains (SEMANTICS 11, 12, 16, 23). Pure."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Container, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlsplit

import idna

CONTACT_FIELDS: Final = {
    "firstname": "firstname",
    "first_name": "firstname",
    "lastname": "lastname",
    "last_name": "lastname",
    "companyname": "company",
    "company": "company",
    "company.name": "company",
    "position": "jobtitle",
    "title": "jobtitle",
    "jobtitle": "jobtitle",
    "address.street": "address",
    "address.city": "city",
    "address.state": "state",
    "address.country": "country",
    "address.postalcode": "zip",
    "address.postal_code": "zip",
    "address.zip": "zip",
    "lifecycle_stage": "lifecyclestage",
}
COMPANY_FIELDS: Final = {
    "employees": "numberofemployees",
    "address.street": "address",
    "address.city": "city",
    "address.state": "state",
    "address.country": "country",
    "address.postalcode": "zip",
    "address.postal_code": "zip",
    "address.zip": "zip",
}
FREE_MAIL: Final = frozenset(
    {
        "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "icloud.com", "me.com",
        "aol.com", "gmx.de", "gmx.net", "web.de", "mail.com", "proton.me", "protonmail.com", "yandex.ru", "mail.ru",
        "qq.com", "163.com",
    }
)  # fmt: skip
# What addresses rather than describes; mobile SDKs repeat the ids among the traits.
_NO_PROPERTIES: Final = frozenset({"hubspot", "id", "userId", "anonymousId"})
_BAD: Final = re.compile(r"[^a-z0-9_]")
_SPACE: Final = re.compile(r"[\s.]")


@lru_cache(maxsize=16_384)
def property_name(key: str, longest: int = 100) -> str:
    """A trait's key as a property name."""
    text = unicodedata.normalize("NFKC", key).strip()
    text = text.removeprefix("[Amplitude] ").removeprefix("$").lower()
    text = _BAD.sub("_", _SPACE.sub("_", text))
    if not text or not ("a" <= text[0] <= "z"):
        text = f"p_{text}"
    if len(text) > longest:
        text = f"{text[: longest - 7]}_{blake2b(key.encode(), digest_size=3).hexdigest()}"
    return text


def flatten(
    traits: Mapping[str, Any], special: Mapping[str, str], known: Container[str]
) -> tuple[dict[str, tuple[str, Any]], list[str]]:
    """Traits as properties: name → (the trait's key, value), and notes on keys that met (SEMANTICS 11 to 13).

    Objects flatten with `_` to depth 3; the address and company objects are read part by part.
    """
    found: dict[str, tuple[str, Any]] = {}
    exact: dict[str, bool] = {}
    notes: list[str] = []

    def put(trait: str, path: str, value: Any) -> None:
        low = path.lower()
        name = special.get(low) or (low if low in known else property_name(path))
        plain = name == path
        if name in found:
            notes.append(f"name_collision:{name}")
            if exact[name] and not plain:
                return
        found[name], exact[name] = (trait, value), plain

    def walk(trait: str, path: str, value: Any, depth: int) -> None:
        if isinstance(value, dict) and value and depth < 3:
            for key, inner in value.items():
                walk(trait, f"{path}.{key}", inner, depth + 1)
        elif value != {}:
            put(trait, path, value)

    for key, value in traits.items():
        if key in _NO_PROPERTIES or value == {}:
            continue
        low = key.lower()
        if isinstance(value, dict) and low == "company":
            if value.get("name") is not None:
                put(key, "company.name", value["name"])
            continue
        if isinstance(value, dict):
            walk(key, key, value, 1)
        else:
            put(key, key, value)
    if "name" in traits and isinstance(traits["name"], str) and special is CONTACT_FIELDS:
        found.pop("name", None)
        if "firstname" not in found and "lastname" not in found:
            first, _, last = traits["name"].strip().partition(" ")
            found["firstname"] = ("name", first)
            if last:
                found["lastname"] = ("name", last)
    return found, notes


def event_name(name: str) -> str:
    """An event's name as the short name of a definition."""
    return property_name(name, 50)


def domain_of(website: Any) -> str | None:
    """The domain that names a company, or None when it is no usable one."""
    if not isinstance(website, str) or not website.strip():
        return None
    text = website.strip()
    try:
        host = urlsplit(text if "://" in text else f"https://{text}").hostname or ""
        host = host.rstrip(".").lower()
        if _is_address(host):
            return None
        host = idna.encode(host, uts46=True).decode() if not host.isascii() else host
    except (ValueError, UnicodeError):
        return None
    host = host.removeprefix("www.")
    if "." not in host or host in FREE_MAIL or not re.fullmatch(r"[a-z0-9.-]{3,253}", host):
        return None
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
