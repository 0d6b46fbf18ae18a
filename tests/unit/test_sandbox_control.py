"""The sandbox's control API: seeds, snapshots, the log of calls, clock, faults and latency."""

from __future__ import annotations

import contextlib
import json
import statistics
import urllib.error
import urllib.request

import msgspec
import pytest
import zstandard

from millstream.sandbox import calllog, seeding, snapshot
from millstream.sandbox.app import Sandbox
from millstream.sandbox.calllog import CallLog
from millstream.sandbox.config import SandboxConfig
from millstream.sandbox.errors import Refused
from millstream.sandbox.latency import Latency
from millstream.sandbox.portal import Portal

SEED = {"contacts": 300, "companies": 40, "deals": 30, "events": 60, "seed": 7}


class Remote:
    """A sandbox and calls to it over HTTP."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.portal = sandbox.portal

    def ask(self, method, path, body=None):
        """Status and answer: JSON, or bytes where it is none."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}
        request = urllib.request.Request(self.sandbox.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                raw, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                raw, status = error.read(), error.code
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw

    def control(self, method, path, body=None):
        """A call of the control API that must work."""
        status, answer = self.ask(method, f"/_sandbox/{path}", body)
        assert status == 200, answer
        return answer

    def refused(self, method, path, body=None, status=400):
        """The message of one that must not."""
        got, answer = self.ask(method, f"/_sandbox/{path}", body)
        assert got == status, answer
        return answer["message"]


@pytest.fixture
def remote():
    """A portal without lags."""
    with Sandbox(SandboxConfig(token="t", search_lag_ms=0, property_lag_ms=0)) as sandbox:
        yield Remote(sandbox)


def everything(portal):
    """All that a portal holds, comparable."""
    return {
        **{name: getattr(portal, name) for name in snapshot.SAME if name != "calls_today"},
        "records": {
            name: (
                [r.json(history=["*"]) for r in records.by_id.values()],
                dict(records.unique), records.merged, records.blocked_emails, records.definitions,
                records.first_id, records.next_id, records.absent, records.ready_at, records.type_id,
            )
            for name, records in portal.records.items()
        },
        "associations": dict(portal.associations.items()),
        "switches": portal.config.switches,
        "shuffle": portal.shuffle.getstate(),
    }  # fmt: skip


def lived_in(remote):
    """A portal in which a little of everything has happened."""
    remote.control("POST", "seed", SEED)

    def do(method, path, body=None):
        status, answer = remote.ask(method, path, body)
        assert status < 300, answer
        return answer

    unique = {
        "name": "code",
        "label": "Code",
        "type": "string",
        "fieldType": "text",
        "groupName": "g",
        "hasUniqueValue": True,
    }
    do("POST", "/crm/v3/properties/contacts", unique)
    do("PATCH", "/crm/v3/objects/contacts/101", {"properties": {"city": "Lyon", "code": "K1"}})
    do("PATCH", "/crm/v3/objects/contacts/101", {"properties": {"city": ""}})
    do("PATCH", "/crm/v3/objects/contacts/102", {"properties": {"code": "K2"}})
    do("POST", "/crm/v3/objects/contacts/merge", {"primaryObjectId": "101", "objectIdToMerge": "102"})
    do("DELETE", "/crm/v3/objects/contacts/103")
    do("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": "104"})
    made = do("POST", "/crm/v3/lists", {"name": "L", "processingType": "MANUAL", "objectTypeId": "0-1"})
    do("PUT", f"/crm/v3/lists/{made['list']['listId']}/memberships/add", ["101", "105"])
    do("POST", "/crm/v4/associations/contacts/deals/labels", {"label": "Buyer", "name": "buyer"})
    do("DELETE", "/events/v3/event-definitions/invited_colleague")
    schema = {
        "name": "pets",
        "labels": {"singular": "Pet", "plural": "Pets"},
        "properties": [{"name": "n", "label": "N", "type": "string", "fieldType": "text"}],
    }
    do("POST", "/crm/v3/schemas", schema)
    do("POST", "/crm/v3/objects/pets", {"properties": {"n": "Rex"}})
    remote.control("POST", "switches", {"repeated_uuid": "400"})
    remote.control("POST", "clock", {"advance_s": 3600})


def test_the_same_seed_makes_the_same_portal(remote):
    """Two portals of one seed are equal to the last value and time; another seed makes another portal."""
    remote.control("POST", "seed", SEED)
    others = [Portal(SandboxConfig()) for _ in range(2)]
    seeding.seed(others[0], SEED)
    seeding.seed(others[1], {**SEED, "seed": 8})
    assert others[0].canonical() == remote.portal.canonical() != others[1].canonical()
    for name, records in remote.portal.records.items():
        mine = [r.json(history=["*"]) for r in records.by_id.values()]
        assert mine == [r.json(history=["*"]) for r in others[0].records[name].by_id.values()]
    assert remote.portal.occurrences == others[0].occurrences
    assert dict(remote.portal.associations.items()) == dict(others[0].associations.items())


def test_seeded_records_are_plausible():
    """Addresses are unique and nobody's, stages are spread, companies match domains, times are past and in order."""
    portal = Portal(SandboxConfig())
    seeding.seed(portal, {"contacts": 2000, "companies": 100, "deals": 100, "events": 200})
    contacts = list(portal.records["contacts"].live())
    emails = [c.values["email"] for c in contacts]
    assert len(set(emails)) == 2000
    assert all(e == e.lower() and e.isascii() and e.endswith(".example") for e in emails)
    assert len({c.values["country"] for c in contacts}) > 10
    assert any(not c.values["firstname"].isascii() for c in contacts)
    stages = [c.values["lifecyclestage"] for c in contacts]
    assert stages.count("subscriber") > stages.count("customer") > stages.count("evangelist") > 0
    assert all("2021" <= c.created < "2026" for c in contacts)
    assert len({c.created[:7] for c in contacts}) > 40
    companies = {c.values["domain"]: c for c in portal.records["companies"].live()}
    with_company = [c for c in contacts if "company" in c.values]
    assert 1200 < len(with_company) < 1600
    for contact in with_company:
        company = companies[contact.values["email"].partition("@")[2]]
        assert contact.values["company"] == company.values["name"]
        assert list(portal.associations.of("contacts", contact.id, "companies")) == [company.id]
        assert contact.id in portal.associations.of("companies", company.id, "contacts")
    deals = list(portal.records["deals"].live())
    assert len({d.values["dealstage"] for d in deals}) == 7
    assert all(d.created <= d.values["closedate"] for d in deals)
    by_id = portal.records["contacts"].by_id
    assert all(by_id[o["objectId"]].created <= o["occurredAt"] for o in portal.occurrences)
    assert len(portal.definitions) == 4
    assert len(portal.uuids) == 200


def test_seeded_values_are_what_the_api_takes(remote):
    """A seeded record can be written back through the API; its history begins when it was made."""
    remote.control("POST", "seed", SEED)
    for kind in ("contacts", "companies", "deals"):
        record = next(remote.portal.records[kind].live())
        status, answer = remote.ask(
            "PATCH", f"/crm/v3/objects/{kind}/{record.id}", {"properties": dict(record.values)}
        )
        assert status == 200, answer
        history = remote.control("GET", "state?history=1")[kind][0]["propertiesWithHistory"]
        name = "city" if kind != "deals" else "amount"
        assert [e["value"] for e in history[name]] == [record.values[name]] * 2
        assert history[name][-1]["timestamp"] == record.created < history[name][0]["timestamp"]


def test_a_second_seed_adds_to_the_first(remote):
    """Nothing collides, whatever the seed."""
    first = remote.control("POST", "seed", SEED)
    again = remote.control("POST", "seed", SEED)
    assert again["contacts"] == 2 * first["contacts"] == 600
    emails = {c.values["email"] for c in remote.portal.records["contacts"].live()}
    assert len(emails) == 600
    unlinked = len(remote.portal.associations)
    remote.control("POST", "seed", {"contacts": 10, "companies": 2, "associations": False})
    assert len(remote.portal.associations) == unlinked


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"contacts": -1}, "contacts"),
        ({"contacts": "many"}, "contacts"),
        ({"people": 3}, "people"),
        ({"events": 3}, "events need contacts"),
        ([1], "Map"),
    ],
)
def test_a_seed_that_cannot_be_is_refused(remote, body, says):
    """With a message that names what is wrong, and nothing is made."""
    assert says in remote.refused("POST", "seed", body)
    assert not any(r.by_id for r in remote.portal.records.values())


def test_a_snapshot_brings_everything_back(remote):
    """Histories, lists, definitions, occurrences, uuids, switches, the clock, merged ids: equal after a reset."""
    lived_in(remote)
    before, canonical = everything(remote.portal), remote.portal.canonical()
    state = remote.control("GET", "state?history=1")
    status, data = remote.ask("GET", "/_sandbox/snapshot")
    assert status == 200
    assert isinstance(data, bytes)
    remote.control("POST", "reset")
    remote.control("POST", "clock", {"advance_s": -100})
    remote.control("POST", "switches", {"repeated_uuid": "silent"})
    remote.control("POST", "restore", data)
    after = remote.control("GET", "state?history=1")
    assert {k: v for k, v in after.items() if k != "limits"} == {
        k: v for k, v in state.items() if k != "limits"
    }
    assert remote.portal.canonical() == canonical
    assert remote.portal.offset_s == pytest.approx(3600)
    assert remote.portal.config.switches["repeated_uuid"] == "400"
    assert everything(remote.portal) == before
    # It lives on: ids continue, merged ids lead, codes of before a merge lead, the search finds.
    assert remote.ask("GET", "/crm/v3/objects/contacts/102")[1]["id"] == "101"
    assert remote.ask("GET", "/crm/v3/objects/contacts/K2?idProperty=code")[1]["id"] == "101"
    made = remote.ask("POST", "/crm/v3/objects/contacts", {"properties": {"email": "new@x.example"}})[1]
    assert made["id"] == "401"
    wanted = {
        "filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "new@x.example"}]}]
    }
    assert remote.ask("POST", "/crm/v3/objects/contacts/search", wanted)[1]["total"] == 1


def test_a_snapshot_holds_all_of_a_portal():
    """Whatever a portal is given later belongs into the snapshot, or on this list of what is not state."""
    beside = {"config", "listeners", "latency", "calls", "shuffle", "associations", "records"}
    assert set(vars(Portal(SandboxConfig()))) == {*snapshot.SAME, *beside}


def test_snapshots_by_name(remote):
    """Kept in memory, apart from the portal, also over a reset; unknown names are told."""
    remote.control("POST", "seed", {"contacts": 3})
    remote.control("POST", "snapshots/three")
    kept = remote.control("POST", "snapshots/three.again")["snapshots"]
    assert set(kept) == {"three", "three.again"}
    before = everything(remote.portal)
    remote.ask("PATCH", "/crm/v3/objects/contacts/101", {"properties": {"city": "Lyon"}})
    remote.control("POST", "reset")
    for _ in range(2):  # a restored portal does not write into what is kept
        answer = remote.control("POST", "snapshots/three/restore")
        assert answer == {"restored": True, "records": {"contacts": 3}}
        assert everything(remote.portal) == before
        remote.ask("PATCH", "/crm/v3/objects/contacts/101", {"properties": {"city": "Lyon"}})
    remote.control("DELETE", "snapshots/three")
    assert set(remote.control("GET", "snapshots")["snapshots"]) == {"three.again"}
    assert "three.again" in remote.refused("POST", "snapshots/three/restore", status=404)
    assert "no name" in remote.refused("POST", "snapshots/a%20b")


def packed(change):
    """A snapshot of a small portal after a change of its content."""
    portal = Portal(SandboxConfig())
    seeding.seed(portal, {"contacts": 5, "companies": 2, "events": 3})
    content = msgspec.msgpack.decode(
        zstandard.ZstdDecompressor().decompress(snapshot.save(portal)), strict=False
    )
    change(content)
    return zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(content))


DAMAGE = {
    "empty": (lambda: b"", "no snapshot"),
    "text": (lambda: b'{"contacts": []}', "no snapshot"),
    "not msgpack": (lambda: zstandard.ZstdCompressor().compress(b"\xc1" * 50), "damaged"),
    "no size": (lambda: zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 50), "how large"),
    "cut": (lambda: packed(dict)[:-200], "no snapshot"),
    "another format": (lambda: packed(lambda c: c.update(format="zip")), "'zip'"),
    "another version": (lambda: packed(lambda c: c.update(version=99)), "version 99"),
    "another portal": (lambda: packed(lambda c: c.update(portal_id=5)), "portal 5"),
    "a field less": (lambda: packed(lambda c: c.pop("lists")), "lists"),
    "a wrong kind": (lambda: packed(lambda c: c.update(offset_s="late")), "offset_s"),
    "a type less": (lambda: packed(lambda c: c["types"].pop("deals")), "deals"),
    "a type more": (lambda: packed(lambda c: c["types"].update(pets=c["types"]["deals"])), "pets"),
    "an id twice": (lambda: packed(lambda c: c["types"]["contacts"]["rows"].append(c["types"]["contacts"]["rows"][0])), "out of order"),
    "an id that is none": (lambda: packed(lambda c: c["types"]["contacts"]["rows"][0].__setitem__(0, "x")), "damaged"),
    "no record at the end": (lambda: packed(lambda c: c["types"]["companies"].update(rows=[])), "damaged"),
    "no such kind": (lambda: packed(lambda c: c.update(association_kinds=[])), "damaged"),
    "no such variant": (lambda: packed(lambda c: c["switches"].update(repeated_uuid="x")), "repeated_uuid"),
    "members of nothing": (lambda: packed(lambda c: c["members"].update({"9": {}})), "lists"),
    "half an occurrence": (lambda: packed(lambda c: c["occurrences"][0].pop("uuid")), "occurrence"),
    "no chance": (lambda: packed(lambda c: c.update(shuffle_state=[1, 2])), "damaged"),
    "another age": (lambda: packed(lambda c: c.update(offset_s=1e300)), "clock"),
}  # fmt: skip


@pytest.fixture(scope="module")
def held():
    """A portal for all damaged snapshots: they must not change it."""
    with Sandbox(SandboxConfig(token="t")) as sandbox:
        found = Remote(sandbox)
        found.control("POST", "seed", {**SEED, "contacts": 20, "deals": 3, "events": 3})
        yield found


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_snapshot_changes_nothing(held, name):
    """400 with what is wrong, and the portal is what it was."""
    make, says = DAMAGE[name]
    before = everything(held.portal)
    message = held.refused("POST", "restore", make())
    assert says in message
    assert everything(held.portal) == before


def test_calls_are_listed_by_number_status_and_path(remote):
    """All by default, newest last; `after` goes on where one stopped, `limit` alone gives the newest."""
    for path in ("contacts", "companies", "nothing", "contacts/1"):
        remote.ask("GET", f"/crm/v3/objects/{path}")
    found = remote.control("GET", "calls")
    assert found["total"] == 4
    assert [c["number"] for c in found["calls"]] == [1, 2, 3, 4]
    assert [c["status"] for c in found["calls"]] == [200, 200, 400, 404]

    def numbers(query):
        return [c["number"] for c in remote.control("GET", f"calls?{query}")["calls"]]

    assert numbers("limit=2") == [3, 4]
    assert numbers("after=1&limit=2") == [2, 3]
    assert numbers("after=4") == numbers("limit=0") == []
    assert numbers("status=4xx") == [3, 4]
    assert numbers("status=404") == [4]
    assert numbers("path=contacts$") == [1]
    assert numbers("path=contacts&status=2xx&limit=1") == [1]
    for query, says in (
        ("limit=x", "limit"),
        ("after=-1", "after"),
        ("status=ok", "status"),
        ("path=(", "regular"),
    ):
        assert says in remote.refused("GET", f"calls?{query}")
    assert remote.control("DELETE", "calls") == {"calls": [], "total": 0}


def test_the_log_of_calls_is_bounded():
    """The last 100,000 are kept, all are counted, numbers go on."""
    log = CallLog()
    for n in range(calllog.KEPT + 15_000):
        log.append({"n": n, "status": 200, "path": "/"})
    assert log.total == calllog.KEPT + 15_000
    assert len(log) < calllog.KEPT + 15_000
    kept = log.select()
    assert len(kept) == calllog.KEPT
    assert (kept[0]["number"], kept[0]["n"]) == (15_001, 15_000)
    assert kept[-1]["number"] == log.total


def test_the_clock_is_set_and_advanced(remote):
    """To a time, and by seconds; what is no time leaves it alone."""
    assert remote.control("POST", "clock", {"set": "2030-05-01T12:00:00Z"})["now"].startswith(
        "2030-05-01T12:00:0"
    )
    assert remote.control("POST", "clock", {"advance_s": 86400})["now"].startswith("2030-05-02T12:00:0")
    assert remote.control("POST", "clock", {"set": 1893456000000})["now"].startswith("2030-01-01T00:00:0")
    for body in (
        {"set": "soon"},
        {"advance_s": "x"},
        {"advance_s": 1e15},
        {"set": "9999-01-01"},
        {"go": 1},
        [2],
    ):
        remote.refused("POST", "clock", body)
    assert remote.control("GET", "clock")["now"].startswith("2030-01-01T00:00:")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "status", "path": "("}, "regular expression"),
        ({"kind": "status", "status": 200}, "status"),
        ({"kind": "status", "rate": 2}, "rate"),
        ({"kind": "status", "times": -1}, "times"),
        ({"kind": "slow", "ms": "long"}, "double"),
        ({"kind": "status", "method": "FETCH"}, "method"),
        ({"kind": "status", "method": ["GET"]}, "String"),
        ({"kind": "status", "pth": "/crm"}, "pth"),
        ([{"kind": "status"}, {"kind": "explode"}], "kind"),
        (["status"], "Map"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(remote, body, says):
    """With a message, and no fault of a list is taken when one is bad."""
    assert says in remote.refused("POST", "faults", body)
    assert remote.control("GET", "faults") == {"faults": []}


def test_switches_change_all_or_nothing(remote):
    """One bad name leaves the good ones as they were."""
    remote.refused("POST", "switches", {"repeated_uuid": "400", "nonsense": "1"})
    assert remote.control("GET", "switches")["repeated_uuid"]["is"] == "silent"


def test_latency_follows_its_percentiles():
    """Medians and 95th percentiles are those of the setting, by kind and by family; the same seed draws the same."""
    setting = {
        "single": {"p50": 100, "p95": 200}, "batch": {"p50": 50, "p95": 50, "per_input": 2}, "search": {"p50": 10, "p95": 90},
        "contacts/single": {"p50": 5}, "seed": 3,
    }  # fmt: skip
    model = Latency(setting)
    drawn = sorted(model.draw("/crm/v3/objects/companies", None) for _ in range(4000))
    assert statistics.median(drawn) == pytest.approx(100, rel=0.05)
    assert drawn[3800] == pytest.approx(200, rel=0.1)
    assert model.draw("/crm/v3/objects/contacts/1", None) == 5
    assert model.draw("/crm/v3/objects/contacts/batch/upsert", 100) == 50 + 2 * 99
    searched = sorted(model.draw("/crm/v3/objects/contacts/search", None) for _ in range(4000))
    assert statistics.median(searched) == pytest.approx(10, rel=0.15)
    again = [Latency(setting).draw("/x", None) for _ in range(2)]
    assert again[0] == again[1]
    assert Latency().draw("/x", None) == 0


def test_latency_is_set_over_http(remote):
    """Off at first; a setting or a preset takes effect, a bad one changes nothing."""
    assert remote.control("GET", "latency")["latency"] == {}
    shown = remote.control("POST", "latency", {"single": {"p50": 1, "p95": 2}, "seed": 1})["latency"]
    assert shown == {"single": {"p50": 1.0, "p95": 2.0, "per_input": 0.0}, "seed": 1}
    bad = [
        {"double": {"p50": 1}}, {"single": {"p95": 1}}, {"single": {"p50": 2, "p95": 1}}, {"single": {"p50": -1}},
        {"single": {"p50": "1"}}, {"single": 5}, {"seed": "x"}, {"preset": "slow"}, {"preset": ["measured"]},
        {"single": {"p50": 1, "p99": 2}},
    ]  # fmt: skip
    for body in bad:
        remote.refused("POST", "latency", body)
    assert remote.control("GET", "latency")["latency"] == shown
    assert remote.control("POST", "latency", {"preset": "measured"})["latency"]["single"]["p50"] == 280
    assert remote.control("DELETE", "latency")["latency"] == {}
    with pytest.raises(Refused):
        Portal(SandboxConfig(latency={"never": {}}))


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/crm/objects/2026-09/contacts", True),
        ("/crm/objects/2026-03/contacts", False),
        ("/crm/v3/objects/contacts", False),
    ],
)
def test_rules_of_the_portal_are_enforced_from_2026_09_on(path, refused):
    """Required at creation, or when another property has a value; older versions let everything through."""
    rules = {
        "contacts": {
            "required": ["phone"],
            "conditional": [{"when": {"city": "Rome"}, "required": ["company"]}],
        }
    }
    with Sandbox(SandboxConfig(token="t")) as sandbox:
        ask = Remote(sandbox).ask
        assert ask("POST", "/_sandbox/rules", rules)[1]["rules"]["contacts"]["required"] == ["phone"]
        status, body = ask("POST", path, {"properties": {"email": "a@x.example"}})
        assert status == (400 if refused else 201)
        assert ("MISSING_REQUIRED_PROPERTY" in json.dumps(body)) is refused
        status, body = ask("POST", path, {"properties": {"email": "b@x.example", "phone": "1"}})
        assert status == 201
        change = {"properties": {"city": "Rome"}}
        status, body = ask("PATCH", f"{path}/{body['id']}", change)
        assert status == (400 if refused else 200)
        assert ("MISSING_CONDITIONAL_REQUIRED_PROPERTY" in json.dumps(body)) is refused
        assert ask("POST", "/_sandbox/rules", {"contacts": {"required": ["nope"]}})[0] == 400
        assert ask("DELETE", "/_sandbox/rules")[1] == {"rules": {}}
