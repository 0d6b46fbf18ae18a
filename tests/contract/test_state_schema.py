"""The state's schema: old files are brought forward, newer ones refused, and migrations give what a new file has."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from millstream.delivery.operation import Key
from millstream.delivery.statement import Statement
from millstream.delivery.store import DeliveryCommit, Position
from millstream.storage.sqlite.state import MIGRATIONS, SCHEMA_VERSION, SqliteState, StateOfOtherVersion


def shape(path):
    """Every table and index, with columns."""
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT type, name FROM sqlite_master ORDER BY 1, 2").fetchall()
        return [
            (kind, name, connection.execute(f"PRAGMA table_xinfo({name})").fetchall()) for kind, name in names
        ]


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_an_old_file_is_brought_forward(tmp_path, version):
    """From each version that there was; its rows stay."""
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as connection:
        for number in range(1, version + 1):
            connection.executescript(MIGRATIONS[number])
        connection.execute("INSERT INTO meta VALUES ('position', '7')")
        connection.execute(f"PRAGMA user_version = {version}")
    state = SqliteState(old)
    assert state.processor.position() == 7
    state.close()
    SqliteState(tmp_path / "new.db").close()
    assert shape(old) == shape(tmp_path / "new.db")
    with sqlite3.connect(old) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_newer_file_is_refused(tmp_path):
    """With a word about which version knows what."""
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StateOfOtherVersion, match="this version knows"):
        SqliteState(tmp_path / "state.db")


def test_an_older_file_is_not_only_read(tmp_path):
    """Commands beside no server change no schema, and say what does; nothing of the file is different afterwards."""
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with pytest.raises(StateOfOtherVersion, match="a server that starts brings an older one forward"):
        SqliteState(tmp_path / "state.db", read_only=True)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION - 1,)


async def test_records_of_older_versions_are_read(tmp_path):
    """Each value with its time. Text is known again; what was hashed otherwise is news, so that it is sent once more."""
    key = Key("contact", "id", "1")
    SqliteState(tmp_path / "state.db").close()
    before = {"city": ("Ulm", 20, 2), "plan": ("pro", 10, 1), "seats": (4711, 20, 2)}
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(
            "INSERT INTO record VALUES ('d', ?, ?, ?, '1', 99, ?)", (*key, msgspec.msgpack.encode(before))
        )
    state = SqliteState(tmp_path / "state.db")
    record = state.deliveries.record("d", key)
    assert (record.id, record.at_ms) == ("1", 99)
    assert (record.confirmed.stamp, record.confirmed.earlier) == ((20, 2), {"plan": (10, 1)})
    said = Statement({"city": "Ulm", "plan": "free", "seats": 4711}, (30, 3), {"plan": (5, 3)})
    assert record.news(said, fresh=True) == (Statement({"seats": 4711}, (30, 3)), True)
    record.confirm(said, 100)
    await state.deliveries.commit(DeliveryCommit("d", Position(0, 0, 0), records=[record]))
    assert state.deliveries.record("d", key) == record
    state.close()
