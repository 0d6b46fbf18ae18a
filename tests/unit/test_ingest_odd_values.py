"""Whatever one item holds, its request is answered and its neighbours are kept (SEMANTICS 26, 30)."""

from __future__ import annotations

import asyncio
import base64
import json
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.record import Kind
from millstream.eventlog.resolved import Status
from millstream.ingest.api import TrackingAPI
from millstream.pipeline.processor import Processor
from millstream.spec import events
from millstream.spec.parse import REASONS
from millstream.storage.memory.log import MemoryLog
from millstream.storage.memory.processor import MemoryProcessorStore
from millstream.workspace.model import Source, Workspace

NOW = 1_700_000_000_000


class Quiet:
    """Nobody looks."""

    def accepted(self, source, kind, events):
        """Not counted."""

    def rejected(self, source, reason):
        """Not counted."""

    def answered(self, dialect, status, seconds):
        """Not counted."""


class Told:
    """What one request left: status, body, records by kind, and what the processor made of the events."""

    def __init__(self, method, target, raw=b""):
        self._log, ids = MemoryLog(), iter(range(10**6))
        api = TrackingAPI(
            lambda: Workspace((Source("site", ("KEY",)),)),
            self._log,
            Quiet(),
            now_ms=lambda: NOW,
            new_id=lambda: f"new{next(ids)}",
        )
        asyncio.run(self._call(api.app(), method, target, raw))

    async def _call(self, app, method, target, raw):
        path, _, query = target.partition("?")
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        said = []

        async def receive():
            return {"type": "http.request", "body": raw}

        async def send(message):
            said.append(message)

        await app({**scope, "query_string": query.encode(), "root_path": ""}, receive, send)
        self.status, self.body = said[0]["status"], said[1]["body"]
        store = MemoryProcessorStore()
        processor = Processor(self._log, store, Dedupe())
        while await processor.step():
            pass
        end = self._log.bounds().end
        self.statuses = [r.status for a in store.annotations(0, end) for r in a.resolutions]
        rows = [row for b in self._log.read(0, 10**6) for row in zip(b.kinds, b.bodies, strict=True)]
        self.events = [events.decode(body) for kind, body in rows if kind != Kind.REJECTED]
        self.reasons = [json.loads(body)["reason"] for kind, body in rows if kind == Kind.REJECTED]

    def holds(self, items):
        """The request was taken; of so many items each is an event or a rejection, and no event breaks the processor."""
        assert self.status == 200, self.body
        assert len(self.statuses) == items
        assert Status.QUARANTINED not in self.statuses
        assert set(self.reasons) <= REASONS.keys()


SEGMENT_FIELDS = (
    *("type", "userId", "anonymousId", "groupId", "previousId", "event", "name", "category", "messageId"),
    *("timestamp", "originalTimestamp", "sentAt", "channel", "version", "integrations", "writeKey"),
    *("properties", "properties.email", "properties.name", "traits", "traits.email", "traits.hubspot"),
    *("context", "context.traits", "context.traits.email", "context.library", "context.library.name"),
    *("context.ip", "context.consent", "context.millstream", "mergeProperties", "mergeProperties.type"),
)
AMPLITUDE_FIELDS = (
    *("event_type", "user_id", "device_id", "time", "insert_id", "session_id", "ip", "language", "platform"),
    *("groups", "groups.company", "group_type", "group_value", "group_properties", "event_properties"),
    *("user_properties", "user_properties.$set", "user_properties.$add.n", "user_properties.$setOnce.k"),
    *("user_properties.$append.k", "user_properties.$preInsert.k", "user_properties.$remove.k"),
    *("user_properties.$unset", "user_properties.$clearAll", "revenue", "price", "quantity", "library"),
)
deep = 0
for _ in range(400):
    deep = {"a": deep}
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, 2**64, -(2**63) - 1, float("nan"), float("inf"), 1e300, -0.0, deep]),
    st.floats(),
    st.text(st.characters(), max_size=8),  # lone surrogates too
    st.sampled_from(["", "cut \ud83d", "\udc00", "EMPTY", "a@b.co", "x" * 600, "2023-13-45", "9" * 64]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def holding(item, path, value):
    """The item with a value at a path; `mergeProperties.type` goes into a list's item."""
    *outer, last = path.split(".")
    found = at = {**item}
    for step in outer:
        at[step] = dict(at[step]) if isinstance(at.get(step), dict) else {}
        at = at[step]
    at[last] = value
    if path == "mergeProperties.type":
        found["mergeProperties"] = [{"type": value, "value": value}]
    return found


def written(value):
    """As Python's SDKs and `JSON.stringify` write it: halves of pairs as escapes, `NaN` and `Infinity` as words."""
    return json.dumps(value).encode()


GOOD = {"type": "identify", "userId": "good", "messageId": "good", "traits": {"email": "good@b.co"}}
TYPES = ("identify", "track", "page", "screen", "group", "alias")
ITEM = {"userId": "u", "anonymousId": "a", "groupId": "g", "previousId": "p", "event": "E"}


@given(st.sampled_from(TYPES), st.sampled_from(SEGMENT_FIELDS), anything)
@example("track", "timestamp", [])
@example("track", "timestamp", {})
@example("page", "channel", [])
def test_one_odd_item_of_a_batch(kind, field, value):
    """The good item beside it is accepted, the odd one accepted or rejected with a reason."""
    raw = written({"batch": [holding({"type": kind, **ITEM}, field, value), GOOD]})
    for path in ("/v1/batch", "/v1/import", "/beacon/v1/batch"):
        told = Told("POST", f"{path}?writeKey=KEY", raw)
        told.holds(2)
        assert told.events[-1].user_id == "good"


@given(st.sampled_from((*TYPES, "merge")), st.sampled_from(SEGMENT_FIELDS), anything)
@example("merge", "mergeProperties", 5)
@example("merge", "mergeProperties.type", 5)
def test_one_odd_call(kind, field, value):
    """Alone, and as a merge: an event or a rejection."""
    Told("POST", f"/v1/{kind}?writeKey=KEY", written(holding(ITEM, field, value))).holds(1)


@given(st.sampled_from(TYPES), st.sampled_from(SEGMENT_FIELDS), anything)
@example("track", "timestamp", [])
def test_one_odd_picture(kind, field, value):
    """A pixel is a picture, from base64 and from a flat query."""
    data = base64.b64encode(written(holding(ITEM, field, value))).decode()
    flat = {f"{field}.a": "1", field: str(value).encode("utf-8", "replace"), **ITEM}
    for query in (urlencode({"writeKey": "KEY", "data": data}), urlencode({**flat, "writeKey": "KEY"})):
        told = Told("GET", f"/v1/pixel/{kind}?{query}")
        told.holds(1)
        assert told.body[:4] == b"GIF8"


@given(st.sampled_from(["batch", "sentAt", "context", "integrations", "context.traits"]), anything)
def test_an_odd_batch(field, value):
    """What all items inherit: whatever it is, no failure of ours; the batch itself may be refused."""
    told = Told("POST", "/v1/batch?writeKey=KEY", written(holding({"batch": [GOOD]}, field, value)))
    if field == "batch":
        assert told.status in {200, 400}
    else:
        told.holds(1)


@given(st.sampled_from(AMPLITUDE_FIELDS), anything, st.sampled_from(["E", "$identify", "$groupidentify"]))
@example("event_properties", deep, "E")
@example("user_properties.$setOnce.k", [], "$identify")
def test_one_odd_event_of_amplitude(field, value, kind):
    """Over both paths."""
    item = {"event_type": kind, "user_id": "user1", "device_id": "device1", "insert_id": "i", "time": NOW}
    item = holding({**item, "groups": {"company": "c"}}, field, value)
    good = {"event_type": "Good", "user_id": "good1"}
    for path in ("/2/httpapi", "/batch"):
        told = Told("POST", path, written({"api_key": "KEY", "events": [item, good]}))
        told.holds(2)
        assert told.events[-1].event == "Good"


@given(st.sampled_from(AMPLITUDE_FIELDS), anything, st.sampled_from(["identify", "groupidentify"]))
def test_one_odd_identification_of_amplitude(field, value, path):
    """As JSON and as a form."""
    item = {"user_id": "user1", "group_type": "company", "group_value": "c"}
    item = holding(item, field, value)
    form = urlencode({"api_key": "KEY", "identification": written([item])}).encode()
    for raw in (written({"api_key": "KEY", "identification": [item]}), form):
        Told("POST", f"/{path}", raw).holds(1)


@given(st.sampled_from(["options", "options.min_id_length", "client_upload_time", "events"]), anything)
def test_an_odd_request_of_amplitude(field, value):
    """What stands beside the events: no failure of ours."""
    body = {"api_key": "KEY", "events": [{"event_type": "E", "user_id": "user1"}]}
    assert Told("POST", "/2/httpapi", written(holding(body, field, value))).status in {200, 400}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\ude00 \uD83D\uDE00 \ud83d\ud83d\ude00"', "\ufffd \U0001f600 \ufffd\U0001f600"),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
        (b'"\xff \xc3\xbc"', "\ufffd \u00fc"),
        (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd"),
        (b"1e999", "1e999"),
        (b"-1E+400", "-1E+400"),
        (b"1e-999", 0),
        (b"1" * 5000, "1" * 5000),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"NaN", None),
        (b"[Infinity, -Infinity, 1]", [None, None, 1]),
        (b'"two\nlines\x01"', "two\nlines\x01"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
    ids=str.split(
        "lone-high lone-low escaped-backslash key not-utf8 cesu too-large too-small-exponent tiny "
        "many-digits beyond-64-bits nan infinities raw-control-characters twice-a-key"
    ),
)
def test_almost_json_is_read_as_it_was_meant(sent, kept):
    """One such value loses neither its item nor a neighbour; the table is in docs/tracking-api.md."""
    items = b'{"type":"track","userId":"u","event":"E","properties":{"x":%s}}' % sent
    told = Told("POST", "/v1/batch?writeKey=KEY", b'\xef\xbb\xbf{"batch":[%s,%s]}' % (items, written(GOOD)))
    told.holds(2)
    assert told.events[0].properties == {"x": kept}
    assert told.events[1].user_id == "good"


@pytest.mark.parametrize("raw", [b'{"batch":[1', b"{'batch':[]}", b'{"batch":[{},]}', b"\xff\xfe{\x00}\x00"])
def test_what_no_repair_makes_json(raw):
    """400 with a code: where the items are cannot be read."""
    told = Told("POST", "/v1/batch?writeKey=KEY", raw)
    assert (told.status, json.loads(told.body)["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("time", [NOW, NOW // 1000, 0])
def test_amplitudes_time_in_seconds_is_the_same_moment(time):
    """What the client said is kept as the event's time is read: seconds are no milliseconds of 1970."""
    item = {"event_type": "E", "user_id": "user1", "time": time}
    (event,) = Told("POST", "/2/httpapi", written({"api_key": "KEY", "events": [item]})).events
    assert event.original_timestamp == event.timestamp


def test_nesting_that_items_inherit_counts_as_theirs():
    """A batch's context too deep to use: a rejection for each item, not a failure for all."""
    told = Told("POST", "/v1/batch?writeKey=KEY", written({"batch": [GOOD, GOOD], "context": deep}))
    told.holds(2)
    assert told.reasons == ["too_deep", "too_deep"]
