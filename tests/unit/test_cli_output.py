"""What commands show on a terminal: hostile text stays text, rows stay rows, nothing is said twice."""

from __future__ import annotations

import argparse
import io
import re
import time

import pytest
from rich.console import Console

from millstream.cli import main
from millstream.cli.moments import moment
from millstream.cli.output import Output, counted, printable
from millstream.cli.status import _lines
from millstream.cli.story import told
from millstream.delivery.operation import Job
from millstream.delivery.outcome import Outcome, Reason, State
from millstream.eventlog.resolved import Resolution, Resolved, Status
from millstream.runtime import stories
from millstream.spec.parse import Envelope, parse
from millstream.workspace.model import Destination, Mapping


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
    """Who tells it; only what is not zero, each state with its reason, the mode, and what is switched off."""
    stands = {
        "mode": "shadow",
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
    answer = {
        "server": {"since": "2026-11-20T08:00:00.000Z"},
        "log": {"start": 0, "end": 1, "bytes": 0},
        "processor_lag": 0,
        "destinations": {"h": stands},
    }
    text = "\n".join(_lines(answer))
    assert text.startswith("server running since 2026-11-20T08:00:00.000Z\n")
    assert "\n".join(_lines(answer | {"server": None})).startswith("no server runs; read from disk\n")
    assert "shadow" in text
    assert "paused" in text
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


def story_of(outcomes, **event):
    """The story of a track call at a destination with four mappings, of which one is disabled."""
    given = {"type": "track", "userId": "u", "event": "Bought", "messageId": "m", **event}
    event = parse(given, Envelope("s1", 0, lambda: "id"))
    resolved = Resolved(7, "s1", 0, 0, event, Resolution(Status.NEW, "p", "", None))
    mappings = [Mapping(f"m{i}", "custom_event", f'event = "E{i}"') for i in range(3)]
    off = Mapping("off", "custom_event", "all", enabled=False)
    there = Destination("h", "hubspot", mappings=(*mappings, off))
    return {
        **stories.head(resolved, None),
        "destination h": stories.at_destination(resolved, there, outcomes),
    }


def test_mappings_that_did_nothing_are_counted():
    """One line for all whose trigger does not hold, all of them with --all; JSON names each."""
    story = story_of([Outcome(Job(7, "m0", "event"), State.DELIVERED, Reason.OK)], event="E0")
    text = told(story)
    assert "2 other mappings: their triggers do not hold (--all names them)" in text
    assert "m1" not in text
    assert "off: disabled" in text
    assert "m1: trigger does not hold" in told(story, all_mappings=True)
    assert [r["mapping"] for r in story["destination h"]] == ["m0", "m1", "m2", "off"]


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (Reason.SOURCE_NOT_CONNECTED, "not looked at: this destination does not take source s1"),
        (Reason.FILTERED_BY_RULES, "not looked at: A destination filter dropped it"),
        (Reason.DUPLICATE, "not looked at: Its source sent"),
    ],
)
def test_a_destination_that_never_looked_says_so(reason, says):
    """Why, and nothing of its mappings, which nobody asked."""
    story = story_of([Outcome(Job(7, "", ""), State.FILTERED, reason)])
    (row,) = story["destination h"]
    assert says in row["detail"]
    assert says in told(story)
    assert "trigger" not in told(story, all_mappings=True)
    looked = story_of([Outcome(Job(7, "", ""), State.FILTERED, Reason.NO_MATCHING_MAPPING)])
    assert len(looked["destination h"]) == 5


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-01", 1_793_491_200_000),
        ("2026-11-01T10:00Z", 1_793_527_200_000),
        ("2026-11-01T10:00+01:00", 1_793_523_600_000),
    ],
)
def test_a_time_is_iso_8601(text, ms):
    """Days and instants; no zone is UTC."""
    assert moment(text) == ms


@pytest.mark.parametrize(("text", "seconds"), [("7d", 604_800), ("12h", 43_200), ("30m ago", 1800)])
def test_a_time_is_so_long_ago(text, seconds):
    """Days, hours, minutes before now."""
    assert abs(time.time() - seconds - moment(text) / 1000) < 60


@pytest.mark.parametrize("text", ["yesterday", "", "7x", "2026-13-01", "d", "-7d"])
def test_what_is_no_time_is_told_what_one_looks_like(text):
    """Both ways of writing one are in the message."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"as in 2026-11-01 .* as in 7d, 12h, 30m"):
        moment(text)


@pytest.mark.parametrize("document", ["5", "{}", '{"sources": []}', '{"destinations": [5]}'])
@pytest.mark.parametrize("kind", ["segment", "rudderstack"])
def test_an_import_of_nothing_writes_nothing(tmp_path, capsys, kind, document):
    """Nothing on standard output, the reasons on the other, no empty paths; exit 1."""
    file = tmp_path / "export.json"
    file.write_text(document)
    with pytest.raises(SystemExit) as ended:
        main(["import", kind, str(file)])
    written, said = capsys.readouterr()
    assert (ended.value.code, written) == (1, "")
    assert said.startswith("error: ")
    assert ": : " not in said


def test_check_tells_where_what_and_how(tmp_path, capsys, monkeypatch):
    """A problem is a line with its place, then what is wrong, then what would help."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    file = tmp_path / "c.yaml"
    file.write_text("sources:\n  - name: s\n    write_keys: [k]\n    orgins: []\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--config", str(file)])
    assert ended.value.code == 1
    assert re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines() == [
        "error  line 4  sources[0].orgins",
        "  unknown key",
        "  → did you mean `origins`?",
    ]
