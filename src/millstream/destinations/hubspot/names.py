"""Names as HubSpot takes them: properties, events, event properties, domains (SEMANTICS 11, 12, 16, 23). Pure."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
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
# By canonical object type.
WELL_KNOWN: Final[Mapping[str, Mapping[str, str]]] = {"contacts": CONTACT_FIELDS, "companies": COMPANY_FIELDS}
FREE_MAIL: Final = frozenset(
    {
        "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "icloud.com", "me.com",
        "aol.com", "gmx.de", "gmx.net", "web.de", "mail.com", "proton.me", "protonmail.com", "yandex.ru", "mail.ru",
        "qq.com", "163.com",
    }
)  # fmt: skip
_BAD: Final = re.compile(r"[^a-z0-9_]")
_SPACE: Final = re.compile(r"[\s.]")
# Longer keys, and more of them, are no names that anybody chose: they would only fill the memory.
_REMEMBERED: Final = 200


def property_name(key: str, longest: int = 100) -> str:
    """A trait's key as a property name."""
    return (_property_name if len(key) <= _REMEMBERED else _property_name.__wrapped__)(key, longest)


@lru_cache(maxsize=16_384)
def _property_name(key: str, longest: int) -> str:
    text = unicodedata.normalize("NFKC", key).strip()
    text = text.removeprefix("[Amplitude] ").removeprefix("$").lower()
    whole = text
    text = _BAD.sub("_", _SPACE.sub("_", text))
    if not text.strip("_"):  # a script without Latin letters: all words of one length would be one name
        text = blake2b(whole.encode(), digest_size=3).hexdigest()
        return f"p_{text}"
    if not ("a" <= text[0] <= "z"):
        text = f"p_{text}"
    if len(text) > longest:
        text = f"{text[: longest - 7]}_{blake2b(key.encode(), digest_size=3).hexdigest()}"
    return text


def event_name(name: str) -> str:
    """An event's name as the short name of a definition."""
    return property_name(name, 50)


def event_property_names(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The names of an event's own properties, in their order."""
    return (_event_property_names if len(keys) <= _REMEMBERED else _event_property_names.__wrapped__)(keys)


@lru_cache(maxsize=512)  # calls of an SDK stand in code: one gives the same keys each time
def _event_property_names(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(property_name(key, 50) for key in keys)


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
