"""Which record a unique value leads to, second addresses of contacts included.

An address is unique over `email` and `hs_additional_emails` together. A value of an archived record is free again.
"""

from __future__ import annotations

from collections.abc import Iterator

from millstream.sandbox.record import Record

EMAIL = "email"
MORE = "hs_additional_emails"


def addresses(text: str) -> list[str]:
    """The addresses of a list with semicolons, as HubSpot keeps them, each once."""
    return list(dict.fromkeys(a for part in text.split(";") if (a := part.strip().lower())))


class Unique(dict[str, dict[str, str]]):
    """Property → value → id of the record that has it (or had it before a merge)."""

    def covers(self, name: str) -> bool:
        """Whether values of a property are looked after here."""
        return name in self or (name == MORE and EMAIL in self)

    def entries(self, name: str, value: str) -> Iterator[tuple[dict[str, str], str]]:
        """Where a value is entered, and as what."""
        if name == MORE and EMAIL in self:
            index = self[EMAIL]
            for address in addresses(value):
                yield index, address
        elif value and name in self:
            yield self[name], value.strip().lower() if name == EMAIL else value

    def held(self, record: Record) -> Iterator[tuple[dict[str, str], str]]:
        """All that a record holds."""
        for name in self:
            yield from self.entries(name, record.values.get(name, ""))
        if EMAIL in self:
            yield from self.entries(MORE, record.values.get(MORE, ""))

    def enter(self, record: Record) -> None:
        """All values of a record lead to it."""
        for index, key in self.held(record):
            index[key] = record.id

    def release(self, record: Record) -> None:
        """Its values lead nowhere any more."""
        for index, key in self.held(record):
            if index.get(key) == record.id:
                del index[key]

    def swap(self, record: Record, name: str, value: str) -> dict[str, str]:
        """One value becomes another in the index; what is to be written: second addresses follow the first one."""
        for index, key in self.entries(name, record.values.get(name, "")):
            if index.get(key) == record.id:
                del index[key]
        written = {name: value}
        if name == MORE:
            own = record.values.get(EMAIL)
            written[name] = ";".join(a for a in addresses(value) if a != own)
        elif name == EMAIL and value in (more := addresses(record.values.get(MORE, ""))):
            # The second address that becomes the first one changes places with it.
            old = record.values.get(EMAIL)
            written[MORE] = ";".join(a for a in (old if m == value else m for m in more) if a)
        for given, text in written.items():
            for index, key in self.entries(given, text):
                index[key] = record.id
        return written
