"""What HubSpot answers to a batch of writes: it repeats all properties of each record, and few of them are looked at."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_NOTHING: Final = msgspec.Raw(b"null")


class _Addressed(msgspec.Struct):
    """A contact's properties, as far as its address."""

    email: Any = None


_addressed = msgspec.json.Decoder(_Addressed | None).decode


class WrittenRecord(msgspec.Struct):
    """A record that was written; `trace` is what the request called its row, `new` whether it was made."""

    id: str | int
    properties: msgspec.Raw = _NOTHING
    new: Any = None
    trace: Any = msgspec.field(default=None, name="objectWriteTraceId")

    @property
    def email(self) -> str:
        """The contact's address; "" when none is repeated."""
        found = _addressed(self.properties)
        return str(found.email or "") if found is not None else ""

    def value(self, name: str) -> str:
        """Any one property; "" when it is not repeated."""
        return str((msgspec.json.decode(self.properties) or {}).get(name) or "")


class Written(msgspec.Struct):
    """The answer: records that were written, and errors of rows that were not."""

    results: list[WrittenRecord] | None = None
    errors: list[dict[str, Any]] | None = None
