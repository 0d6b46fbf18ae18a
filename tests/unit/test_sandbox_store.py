"""The sandbox's store against a naive model: whatever clients do, values, histories, addresses and searches are right."""

from __future__ import annotations

import itertools
import json
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from millstream.sandbox import routes, snapshot
from millstream.sandbox.config import SandboxConfig
from millstream.sandbox.errors import Complaint, Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call

TABLE = routes.table()
MORE = "hs_additional_emails"
STAGES = ("subscriber", "lead", "customer", "other")
OPERATORS = (
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY",
    "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
)  # fmt: skip

emails = st.sampled_from(
    ["a@x.example", " A@X.example", "b@x.example", "B@x.Example ", "c@x.example", "d@x.example"]
)
texts = st.sampled_from(["Berlin", "berlin", "Lyon", "Łódź", "nan", "infinity", "New York"])
scores = st.sampled_from(["0", "7", "7.0", "-3", "10", "1e3", "12.5"])
moments = st.sampled_from(
    ["2026-01-01", "2026-01-01T00:00:00Z", "2026-03-01T12:00:00+02:00", "1767225600000"]
)
codes = st.sampled_from(["K1", "k1", "K2", "K3"])
VALUES = {"city": texts, "score": scores, "closedate": moments, "code": codes, "email": emails}


def portal(**config):
    """A portal with a number, a date and a unique text of its own; its index knows everything at once."""
    made = Portal(SandboxConfig(search_lag_ms=0, property_lag_ms=0, **config))
    for name, kind, field, unique in (("score", "number", "number", False), ("code", "string", "text", True)):
        body = {
            "name": name,
            "label": name,
            "type": kind,
            "fieldType": field,
            "groupName": "contactinformation",
        }
        assert ask(made, "POST", "/crm/v3/properties/contacts", {**body, "hasUniqueValue": unique})[0] == 201
    return made


def ask(on, method, path, body=None):
    """One operation without HTTP: status and answer."""
    found, params = TABLE.find(method, path)
    raw = json.dumps(body).encode() if body is not None else b""
    try:
        return found.work(on, Call(method, path, params, {}, body, raw))
    except Refused as refused:
        return refused.status, refused.body
    except Complaint as complaint:
        return complaint.status, {"message": complaint.message}


def search(on, groups, **more):
    """All pages of a search: the ids, and the total that each page told."""
    ids, totals, after = [], set(), None
    while True:
        body = {"filterGroups": groups, "limit": 5, **more} | ({"after": after} if after else {})
        status, found = ask(on, "POST", "/crm/v3/objects/contacts/search", body)
        assert status == 200, found
        ids += [r["id"] for r in found["results"]]
        totals.add(found["total"])
        if "paging" not in found:
            assert totals == {len(ids)}
            return ids
        after = found["paging"]["next"]["after"]


def typed(name, value):
    """A value as the thing it stands for."""
    if name in {"score", "hs_object_id"}:
        return float(value)
    if name == "closedate":
        if value.isdigit():
            return int(value) / 1000
        return datetime.fromisoformat(value if "T" in value else f"{value}T00:00:00+00:00").timestamp()
    return value.lower()


def naive(values, wanted):
    """What one filter says of one record, straight from the documentation."""
    name, operator = wanted["propertyName"], wanted["operator"]
    value = values.get(name)
    if operator == "HAS_PROPERTY":
        return value is not None
    if operator == "NOT_HAS_PROPERTY":
        return value is None
    if operator == "NEQ":
        return value is None or value.lower() != wanted["value"].lower()
    if value is None:
        return False
    low = value.lower()
    if operator in {"IN", "NOT_IN"}:
        return (low in [v.lower() for v in wanted["values"]]) is (operator == "IN")
    if operator.endswith("CONTAINS_TOKEN"):
        return (wanted["value"].strip("*").lower() in low) is (operator == "CONTAINS_TOKEN")
    if operator == "EQ":
        return low == wanted["value"].lower()
    is_, than = typed(name, value), typed(name, wanted["value"])
    if operator == "BETWEEN":
        return than <= is_ <= typed(name, wanted["highValue"])
    return {"LT": is_ < than, "LTE": is_ <= than, "GT": is_ > than, "GTE": is_ >= than}[operator]


@st.composite
def filters(draw):
    """Any filter that makes sense for its property."""
    name = draw(st.sampled_from([*VALUES, "hs_object_id"]))
    pool = VALUES.get(name, st.integers(99, 112).map(str))
    made = {"propertyName": name, "operator": draw(st.sampled_from(OPERATORS))}
    value = draw(pool).strip() if name == "email" else draw(pool)
    if made["operator"] in {"IN", "NOT_IN"}:
        return {**made, "values": [value, *(v.strip() for v in draw(st.lists(pool, max_size=2)))]}
    if made["operator"].endswith("CONTAINS_TOKEN"):
        return {**made, "value": draw(st.sampled_from([value, value[:3], f"*{value[1:]}", f"{value[:2]}*"]))}
    return {**made, "value": value} | ({"highValue": draw(pool)} if made["operator"] == "BETWEEN" else {})


groups_of_filters = st.lists(
    st.lists(filters(), min_size=1, max_size=3).map(lambda f: {"filters": f}), max_size=3
)


class Store(RuleBasedStateMachine):
    """Contacts, companies and deals of one portal beside plain dicts."""

    def __init__(self):
        super().__init__()
        self.portal = portal()
        self.values: dict[str, dict[str, str]] = {}
        self.log: dict[str, dict[str, list[str]]] = {}
        self.gone: set[str] = set()
        self.merged: dict[str, str] = {}
        self.leads: dict[str, str] = {}
        self.pairs: set[tuple[str, str, str, str]] = set()
        self.others = {
            kind: ask(self.portal, "POST", f"/crm/v3/objects/{kind}", {"properties": given})[1]["id"]
            for kind, given in (("companies", {"name": "C"}), ("deals", {"dealname": "D"}))
        }

    # --- the model

    def resolved(self, i):
        """Where an id leads."""
        return self.merged.get(i, i)

    def holder(self, name, value):
        """The live record that a unique value belongs to."""
        for i, values in self.values.items():
            if i in self.gone:
                continue
            held = [values.get(name)] + (values.get(MORE, "").split(";") if name == "email" else [])
            if value in held:
                return i
        lead = self.resolved(self.leads.get(value)) if name == "code" else None
        return lead if lead is not None and lead not in self.gone else None

    def normal(self, given):
        """Values as they are kept."""
        return {n: v.strip().lower() if n == "email" else v for n, v in given.items()}

    def taken(self, given, i):
        """Whether somebody else has one of these values."""
        claims = [(n, v) for n, v in given.items() if n in {"email", "code"} and v]
        claims += [("email", a.strip().lower()) for a in given.get(MORE, "").split(";") if a.strip()]
        return any(self.holder(n, v) not in {None, i} for n, v in claims)

    def put(self, i, name, value):
        """One value, with all that follows from it."""
        mine = self.values[i]
        staged = name == "lifecyclestage" and mine.get(name) in STAGES and value in STAGES
        if staged and STAGES.index(value) < STAGES.index(mine[name]):
            return
        if name == "code":
            self.leads.pop(value, None)
        more = mine.get(MORE, "").split(";") if MORE in mine else []
        if name == MORE:
            listed = dict.fromkeys(a for a in (p.strip().lower() for p in value.split(";")) if a)
            value = ";".join(a for a in listed if a != mine.get("email"))
        swapped = name == "email" and value in more
        rest = [a for a in (mine.get("email") if m == value else m for m in more) if a]
        self.keep(i, name, value)
        if swapped:
            self.keep(i, MORE, ";".join(rest))

    def keep(self, i, name, value):
        """Write and remember."""
        self.log[i].setdefault(name, []).append(value)
        self.values[i][name] = value
        if value == "":
            del self.values[i][name]

    # --- what clients do

    fields = st.fixed_dictionaries(
        {}, optional={**VALUES, "lifecyclestage": st.sampled_from(STAGES), "firstname": st.just("Ada")}
    )
    ids = st.integers(101, 108).map(str)

    @rule(given=fields)
    def create(self, given):
        """A new contact, unless an address or a code is taken."""
        status, answer = ask(self.portal, "POST", "/crm/v3/objects/contacts", {"properties": given})
        if not given.keys() & {"email", "firstname"}:
            assert status == 400
        elif self.taken(self.normal(given), None):
            assert status == 409
        else:
            assert status == 201, answer
            self.made(answer["id"], given)

    def made(self, i, given):
        """The model of a new contact."""
        assert i not in self.values
        self.values[i], self.log[i] = {}, {}
        if "lifecyclestage" not in given:
            self.put(i, "lifecyclestage", "lead")
        for name, value in self.normal(given).items():
            self.put(i, name, value)

    @rule(
        i=ids,
        given=fields,
        cleared=st.none() | st.sampled_from(sorted(VALUES)),
        more=st.none() | st.lists(emails, max_size=2),
    )
    def update(self, i, given, cleared, more):
        """Some values change, one may be cleared, second addresses may be given."""
        given = dict(given)
        if cleared is not None:
            given[cleared] = ""
        if more is not None:
            given[MORE] = ";".join(more)
        status, _ = ask(self.portal, "PATCH", f"/crm/v3/objects/contacts/{i}", {"properties": given})
        i, given = self.resolved(i), self.normal(given)
        if i not in self.values or i in self.gone:
            assert status == 404
        elif self.taken(given, i):
            assert status == 409
        else:
            assert status == 200
            for name, value in given.items():
                self.put(i, name, value)

    @rule(email=emails, given=fields)
    def upsert(self, email, given):
        """By address: first or second, in any case."""
        given.pop("email", None)
        item = {"id": email, "idProperty": "email", "properties": given}
        status, answer = ask(self.portal, "POST", "/crm/v3/objects/contacts/batch/upsert", {"inputs": [item]})
        known = self.holder("email", email.strip().lower())
        values = self.normal({"email": email, **given})
        if self.taken(values, known):
            assert status == 409
            return
        assert status == 200, answer
        i = answer["results"][0]["id"]
        assert answer["results"][0]["new"] is (known is None)
        if known is None:
            self.made(i, values)
        else:
            assert i == known
            if self.values[i]["email"] != values["email"]:
                values.pop("email")  # one of its other addresses: the first stays
            for name, value in values.items():
                self.put(i, name, value)

    @rule(i=ids)
    def archive(self, i):
        """Its unique values are free again."""
        assert ask(self.portal, "DELETE", f"/crm/v3/objects/contacts/{i}")[0] == 204
        if self.resolved(i) in self.values:
            self.gone.add(self.resolved(i))

    @precondition(lambda self: len(self.values) > 1)
    @rule(i=ids, j=ids)
    def merge(self, i, j):
        """Gaps are filled, addresses come along, ids and codes lead on."""
        body = {"primaryObjectId": i, "objectIdToMerge": j}
        status, _ = ask(self.portal, "POST", "/crm/v3/objects/contacts/merge", body)
        i, j = self.resolved(i), self.resolved(j)
        if {i, j} & self.gone or not {i, j} <= self.values.keys():
            assert status == 404
            return
        if i == j:
            assert status == 400
            return
        assert status == 200
        theirs = dict(self.values[j])
        self.gone.add(j)
        self.merged = {k: i if v == j else v for k, v in self.merged.items()} | {j: i}
        for name, value in theirs.items():
            if name not in self.values[i] and name != MORE:
                self.put(i, name, value)
        if theirs.get("code") not in {None, self.values[i].get("code")}:
            self.leads[theirs["code"]] = i
        mine = self.values[i].get(MORE, "")
        listed = ";".join([mine, theirs.get("email", ""), theirs.get(MORE, "")])
        kept = [a for a in dict.fromkeys(listed.split(";")) if a and a != self.values[i].get("email")]
        if ";".join(kept) != mine:
            self.put(i, MORE, ";".join(kept))
        moved = {
            (a, i if (a, x) == ("contacts", j) else x, b, i if (b, y) == ("contacts", j) else y)
            for a, x, b, y in self.pairs
        }
        self.pairs = {p for p in moved if p[:2] != p[2:]}

    @rule(i=ids, j=ids, kind=st.sampled_from(["contacts", "companies", "deals"]), off=st.booleans())
    def associate(self, i, j, kind, off):
        """Both directions come and go together."""
        other = j if kind == "contacts" else self.others[kind]
        if i == other:
            return
        path = f"/crm/v4/objects/contacts/{i}/associations/{kind}/{other}"
        if off:
            assert ask(self.portal, "DELETE", path)[0] == 204
            self.pairs -= {("contacts", i, kind, other), (kind, other, "contacts", i)}
            return
        path = f"/crm/v4/objects/contacts/{i}/associations/default/{kind}/{other}"
        status, _ = ask(self.portal, "PUT", path)
        i, other = self.resolved(i), self.resolved(other) if kind == "contacts" else other
        contacts = {i, other} if kind == "contacts" else {i}
        if contacts & self.gone or not contacts <= self.values.keys():
            assert status == 404
        else:
            assert status == 200
            self.pairs |= {("contacts", i, kind, other), (kind, other, "contacts", i)}

    @rule(groups=groups_of_filters)
    def look(self, groups):
        """A search finds what a look at every record finds."""
        expected = [
            i
            for i, values in self.values.items()
            if i not in self.gone
            and (
                not groups
                or any(all(naive({**values, "hs_object_id": i}, f) for f in g["filters"]) for g in groups)
            )
        ]
        assert search(self.portal, groups) == expected
        down = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
        assert search(self.portal, groups, sorts=down) == expected[::-1]

    # --- what always holds

    @invariant()
    def values_are_right(self):
        """Every record has the model's values; a merged id shows the record that it became."""
        records = self.portal.type("contacts")
        for i, values in self.values.items():
            assert records.by_id[i].values == values
            assert records.by_id[i].archived is (i in self.gone)
            found = records.find(i, None)
            shown = self.resolved(i)
            assert (found.id if found else None) == (None if shown in self.gone else shown)

    @invariant()
    def no_value_is_lost(self):
        """Histories have everything that was ever written, newest first."""
        for i, log in self.log.items():
            record = self.portal.type("contacts").by_id[i]
            shown = record.json(history=["*"])["propertiesWithHistory"]
            assert {n: [e["value"] for e in h] for n, h in shown.items()} == {
                n: written[::-1] for n, written in log.items()
            }
            assert all(
                h == sorted(h, reverse=True) for h in ([e["timestamp"] for e in x] for x in shown.values())
            )

    @invariant()
    def addresses_lead_to_one(self):
        """Each address and each code leads to the contact that has it, in any case of letters."""
        records = self.portal.type("contacts")
        for name, pool in (("email", "abcd"), ("code", ("K1", "k1", "K2", "K3"))):
            for value in pool:
                value = f"{value}@x.example" if name == "email" else value
                found = records.find(f" {value.upper()} " if name == "email" else value, name)
                assert (found.id if found else None) == self.holder(name, value)

    @invariant()
    def associations_are_symmetric(self):
        """They are the model's, from either end."""
        held = {key for key, _ in self.portal.associations.items()}
        assert held == self.pairs
        assert {(b, j, a, i) for a, i, b, j in held} == held
        assert len(self.portal.associations) == len(held)

    def teardown(self):
        """A snapshot of whatever came about is the same portal."""
        again = portal()
        snapshot.restore(again, snapshot.save(self.portal))
        one, other = self.portal.type("contacts"), again.type("contacts")
        assert [r.json(history=["*"]) for r in one.by_id.values()] == [
            r.json(history=["*"]) for r in other.by_id.values()
        ]
        assert dict(self.portal.associations.items()) == dict(again.associations.items())
        self.portal = again
        self.values_are_right()
        self.addresses_lead_to_one()


Store.TestCase.settings = settings(
    max_examples=120, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)


class TestStore(Store.TestCase):
    """Runs of the machine above."""


rows = st.lists(
    st.fixed_dictionaries(
        {"firstname": st.just("Ada")},
        optional={n: v for n, v in VALUES.items() if n not in {"email", "code"}},
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(
    rows=rows,
    groups=groups_of_filters,
    sort=st.sampled_from(["city", "score", "-score", "hs_object_id", "-createdate"]),
)
def test_pages_of_a_sorted_search_are_the_sorted_filter(rows, groups, sort):
    """Filter, order and pages are those of a naive look at every record; equals stay in the order of their ids."""
    on = portal()
    made = {}
    for given_ in rows:
        made[ask(on, "POST", "/crm/v3/objects/contacts", {"properties": given_})[1]["id"]] = given_
    name, down = sort.removeprefix("-"), sort.startswith("-")

    def key(i):
        value = {**made[i], "hs_object_id": i, "createdate": on.type("contacts").by_id[i].created}.get(name)
        if value is None:
            return (0, 0, "")
        return (1, typed(name, value), "") if name in {"score", "hs_object_id"} else (2, 0, value.lower())

    expected = [
        i
        for i, values in made.items()
        if not groups
        or any(all(naive({**values, "hs_object_id": i}, f) for f in g["filters"]) for g in groups)
    ]
    assert search(on, groups, sorts=[sort]) == sorted(expected, key=key, reverse=down)


def test_an_operator_of_each_kind_finds_what_it_should():
    """Every operator on every property, each against the naive filter: none is left to chance."""
    on = portal()
    cities, numbers = ["Berlin", "Lyon", None, "nan"], ["7", "12.5", None, "-3"]
    made = {}
    for n, (city, score) in enumerate(itertools.product(cities, numbers)):
        given_ = {"email": f"u{n}@x.example", "city": city, "score": score, "code": f"K{n}"}
        given_ = {k: v for k, v in given_.items() if v is not None}
        made[ask(on, "POST", "/crm/v3/objects/contacts", {"properties": given_})[1]["id"]] = given_
    targets = {
        "city": ("berlin", "Lyon"), "score": ("7", "12.5"), "email": ("u3@x.example", "u9@x.example"),
        "code": ("k3", "K9"), "hs_object_id": ("103", "110"),
    }  # fmt: skip
    for operator, (name, (low, high)) in itertools.product(OPERATORS, targets.items()):
        wanted = {
            "propertyName": name,
            "operator": operator,
            "value": low,
            "highValue": high,
            "values": [low, high],
        }
        expected = [i for i, values in made.items() if naive({**values, "hs_object_id": i}, wanted)]
        assert search(on, [{"filters": [wanted]}]) == expected, (operator, name)


def test_search_does_not_see_what_is_younger_than_its_lag():
    """What was just written is not found, nor counted; once the clock has moved it is."""
    on = portal()
    on.config.search_lag_ms = 60_000
    for n in range(3):
        ask(on, "POST", "/crm/v3/objects/contacts", {"properties": {"email": f"u{n}@x.example"}})
    by_id = [{"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": "0"}]}]
    assert search(on, []) == search(on, by_id) == []
    on.offset_s += 61
    assert search(on, []) == search(on, by_id) == ["101", "102", "103"]
    ask(on, "PATCH", "/crm/v3/objects/contacts/102", {"properties": {"city": "Lyon"}})
    assert search(on, []) == search(on, by_id) == ["101", "103"]


@pytest.mark.parametrize(("limit", "status"), [(200, 200), ("200", 200), (201, 400), ("10000", 400)])
def test_a_page_of_a_search_is_at_most_200(limit, status):
    """A larger one is refused: whoever asks for it must not take a part for the whole."""
    made, body = ask(portal(), "POST", "/crm/v3/objects/contacts/search", {"limit": limit})
    assert made == status
    assert (body.get("category") == "VALIDATION_ERROR") is (status == 400)
