"""Profiles as bytes: JSON of `Profile` behind the number of its format. What an older version wrote is read as well."""

from __future__ import annotations

from typing import Literal

import msgspec

from millstream.eventlog.resolved import TraitValue
from millstream.profiles.profile import ExternalId, Profile
from millstream.profiles.traits import Stamp


class _First(msgspec.Struct, array_like=True):
    """A profile as the first version stored it, in msgpack: a stamp beside each trait, ids as a list."""

    id: str
    kind: Literal["person", "account"]
    created_ms: int
    updated_ms: int
    external_ids: list[tuple[ExternalId, int]]
    traits: dict[str, TraitValue]
    removed: dict[str, Stamp]
    accounts: dict[str, int]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Profile).decode
_decode_first = msgspec.msgpack.Decoder(_First).decode
_MARK = b"[2,"


def pack(profile: Profile) -> bytes:
    """A profile as bytes. JSON: unlike msgpack's, its integers have no bounds, and traits may be any JSON."""
    profile.fold()
    return _encode(profile)


def unpack(body: bytes) -> Profile:
    """The profile that `pack` wrote, in this version or the first."""
    return _decode(body) if body.startswith(_MARK) else _upgraded(_decode_first(body))


def _upgraded(old: _First) -> Profile:
    found = Profile(old.id, old.kind, old.created_ms, old.updated_ms, accounts=old.accounts)
    for external, seen in old.external_ids:
        found.see((external,), seen)
    for key, (value, *stamp) in old.traits.items():
        found.traits.put(key, value, (stamp[0], stamp[1]))
    found.traits.removed = old.removed
    return found
