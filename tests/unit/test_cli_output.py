"""What commands show on a terminal: hostile text stays text, rows stay rows, nothing is said twice."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from millstream.cli import main
from millstream.cli.output import Output, counted, printable
from millstream.cli.status import _lines
from millstream.cli.story import told


def shown(work, width=60):
    """What a terminal of this width would show, without its colours."""
    out = Output(as_json=False)
    out.console = Console(file=io.StringIO(), width=width, highlight=False)
    work(out)
    return out.console.file.getvalue()


@pytest.mark.parametrize(
    "name",
    ["[/bold]", "[red]", "\x1b[2J\x1b]0;title\x07", "a\rb", "\x9b31m", "x" * 500, "\u202eevil", "[/", "\\"],
)
def test_names_from_outside_are_only_text(name):
    """No markup, no escape sequence and no cursor movement of an event's name reaches the terminal."""
    story = {
        "event": {
            "type": "track",
            "event": name,
            "offset": 1,
            "source": "s",
            "received": "t",
            "status": "new",
        },
        "profile": {
            "id": "use_1",
            "account": None,
            "email": name,
            "gained_address": False,
            "superseded": [],
            "note": "",
            "external_ids": {"user_id": [name]},
        },
        "destination hubspot": [
            {
                "mapping": name,
                "effect": "event",
                "state": "delivered",
                "reason": "ok",
                "call": "",
                "notes": name,
                "detail": "",
            }
        ],
    }
    for text in (
        shown(lambda out: out.table(("event", "n"), [(name, 1)], cut={"event"})),
        shown(lambda out: out.table(("event", "n"), [(name, 1)])),
        shown(lambda out: out.say(told(story))),
    ):
        assert not set(text) & set("\x1b\x07\r\x9b\u202e")
        if name.startswith("["):
            assert name in text
    assert len(printable(name)) == len(name)


def test_scanned_rows_stay_on_one_line():
    """The columns that may give way do, the others are whole, and an empty list is only its heading."""
    rows = [("12345", "Order Completed " * 9, "delivered")]
    text = shown(lambda out: out.table(("offset", "event", "hubspot"), rows, cut={"event"}), 40)
    _, line = text.splitlines()
    assert len(line) <= 40
    assert line.startswith("12345 ")
    assert "…" in line
    assert line.rstrip().endswith("delivered")
    assert shown(lambda out: out.table(("a", "b"), [], cut={"a"})).split() == ["a", "b"]


def test_status_says_what_is_pending():
    """Only what is not zero, each state with its reason, and what is switched off."""
    stands = {
        "state": "paused",
        "detail": "401",
        "until": "2026-11-21T23:00:00.000Z",
        "lag": 7,
        "in_works": 0,
        "waiting": 2,
        "parked": 0,
        "dead_letters": 1,
        "daily_remaining": 12,
        "switched_off": ["events"],
        "events": {"delivered:ok": 1000, "waiting:no_identity_yet": 2},
    }
    text = "\n".join(
        _lines(
            {
                "log": {"start": 0, "end": 1, "bytes": 0},
                "processor_lag": 0,
                "destinations": {"h": stands},
            }
        )
    )
    assert "1 event," in text
    assert "tried again at 2026-11-21T23:00:00.000Z" in text
    assert "7 behind, 2 waiting, 1 dead letters" in text
    assert "1,000" in text
    assert "no_identity_yet" in text
    assert "switched off: events" in text


def test_counted():
    """One event, two events."""
    assert [counted(n, "event") for n in (0, 1, 2000)] == ["0 events", "1 event", "2,000 events"]


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "is not JSON"), ("[]", "no call is given"), ("\xff\xfe", "is not JSON"), (None, "No such file")],
)
def test_a_file_that_cannot_be_tried_is_one_line(tmp_path, capsys, content, says):
    """`dryrun` says what is wrong with the file; no stack trace."""
    file = tmp_path / "e.json"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(SystemExit) as ended:
        main(["dryrun", str(file), "--config", str(tmp_path / "c.yaml")])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
