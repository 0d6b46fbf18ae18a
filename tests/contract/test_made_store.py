"""One suite for every store of what was made in schemas: memory and SQLite."""

from __future__ import annotations

import pytest

from millstream.delivery.operation import Key
from millstream.storage.memory.made import MemoryMadeStore
from millstream.storage.sqlite.state import SqliteState

PLAN, SIZE = Key("property", "contacts", "plan"), Key("property", "companies", "size")
ORDER = Key("definition", "name", "order_completed")


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryMadeStore()
        return
    state = SqliteState(tmp_path / "state.db")
    yield state.made
    state.close()


async def test_what_was_made_is_found_by_kind_and_time(store):
    """Of one portal, of one object type, from a time on."""
    await store.add("7", [PLAN, SIZE, ORDER], 100)
    await store.add("8", [Key("property", "contacts", "other")], 100)
    assert store.names("7", "property", "contacts") == {"plan"}
    assert store.names("7", "property", "contacts", 100) == {"plan"}
    assert store.names("7", "property", "contacts", 101) == set()
    assert store.names("7", "definition", "name") == {"order_completed"}
    assert store.names("9", "property", "contacts") == set()


async def test_the_same_is_made_once(store):
    """Asked for again, as of then."""
    await store.add("7", [PLAN], 100)
    await store.add("7", [PLAN], 200)
    assert store.names("7", "property", "contacts", 150) == {"plan"}


async def test_what_could_not_be_made_is_forgotten(store):
    """Only that, and only in its portal."""
    await store.add("7", [PLAN, ORDER], 100)
    await store.add("8", [PLAN], 100)
    await store.remove("7", [PLAN])
    assert store.names("7", "property", "contacts") == set()
    assert store.names("7", "definition", "name") == {"order_completed"}
    assert store.names("8", "property", "contacts") == {"plan"}


async def test_a_restart_remembers(tmp_path):
    """What was made is there in the next process."""
    state = SqliteState(tmp_path / "state.db")
    await state.made.add("7", [PLAN], 100)
    state.close()
    again = SqliteState(tmp_path / "state.db")
    assert again.made.names("7", "property", "contacts") == {"plan"}
    again.close()
