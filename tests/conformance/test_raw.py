"""Plain HTTP: what no official client reaches, each conversation under every version of its paths."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

RAW = "raw HTTP"
DATED = {
    "objects": "/crm/objects/{}",
    "properties": "/crm/properties/{}",
    "schemas": "/crm-object-schemas/{}/schemas",
    "associations": "/crm/associations/{}",
    "labels": "/crm/associations/{}",
    "pairs": "/crm/objects/{}",
    "lists": "/crm/lists/{}",
    "owners": "/crm/owners/{}",
    "pipelines": "/crm/pipelines/{}",
    "definitions": "/events/{}/event-definitions",
    "send": "/events/{}/send",
    "events": "/events/event-occurrences/{}",
    "oauth": "/oauth/{}",
    "account": "/account-info/{}",
    "limits": "/crm/limits/{}",
    "webhooks": "/webhooks/{}",
    "forms": "/marketing/forms/{}",
    "emails": "/marketing/emails/{}",
    "campaigns": "/marketing/campaigns/{}",
    "preferences": "/communication-preferences/{}",
}
V3 = {
    "objects": "/crm/v3/objects",
    "properties": "/crm/v3/properties",
    "schemas": "/crm-object-schemas/v3/schemas",
    "associations": "/crm/v4/associations",
    "labels": "/crm/v4/associations",
    "pairs": "/crm/v4/objects",
    "lists": "/crm/v3/lists",
    "owners": "/crm/v3/owners",
    "pipelines": "/crm/v3/pipelines",
    "definitions": "/events/v3/event-definitions",
    "send": "/events/v3/send",
    "events": "/events/v3/events",
    "oauth": "/oauth/v3",
    "account": "/account-info/v3",
    "limits": "/crm/v3/limits",
    "webhooks": "/webhooks/v3",
    "forms": "/marketing/v3/forms",
    "emails": "/marketing/v3/emails",
    "campaigns": "/marketing/v3/campaigns",
    "preferences": "/communication-preferences/v4",
}
BASES = {
    "v3": V3,
    "2026-03": {name: base.format("2026-03") for name, base in DATED.items()},
    "2026-09": {name: base.format("2026-09") for name, base in DATED.items()}
    | {"webhooks": "/app-webhooks/2026-09"},
    "alias": V3 | {"schemas": "/crm/v3/schemas", "labels": "/crm/associations/v4"},
}
ALL = ("v3", "2026-03", "2026-09")


@dataclass(frozen=True)
class Step:
    """One call. `{name}` in its path and body is a base, or what an earlier answer gave under `keep`."""

    method: str
    path: str
    body: Any = None
    has: str = ""  # what the answer must hold: dotted names, `name=value` for a value
    keep: str = ""  # name:dotted.path
    only: tuple[str, ...] = ()  # versions that have it
    open: bool = False


def get(path: str, has: str = "", **more: Any) -> Step:
    """A call without a body."""
    return Step("GET", path, None, has, **more)


def post(path: str, body: Any, has: str = "", **more: Any) -> Step:
    """A call that makes something, or asks with a body."""
    return Step("POST", path, body, has, **more)


CONTACT = post("{objects}/contacts", {"properties": {"email": "ada@raw.example"}}, "id", keep="one:id")
COMPANY = post("{objects}/companies", {"properties": {"domain": "raw.example"}}, "id", keep="firm:id")
ENDS = {"from": {"id": "{one}"}, "to": {"id": "{firm}"}}
PRIMARY = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
PROPERTY = {"name": "plan", "label": "Plan", "type": "string", "fieldType": "text", "groupName": "g"}
UNIQUE = {**PROPERTY, "name": "key", "hasUniqueValue": True}
STAGE = {"label": "Open", "displayOrder": 0, "metadata": {"probability": "0.5"}}
HOOK = {
    "targetUrl": "https://app.example/hook",
    "throttling": {"maxConcurrentRequests": 5, "period": "SECONDLY"},
}
CHANGES = {"eventType": "contact.creation", "active": False}
CAR = {
    "name": "car",
    "labels": {"singular": "Car", "plural": "Cars"},
    "properties": [{"name": "car_name", "label": "Name", "type": "string", "fieldType": "text"}],
    "requiredProperties": ["car_name"],
    "associatedObjects": ["CONTACT"],
}
APP = "client_id=sandbox-client&client_secret=sandbox-secret"
SUBMISSION = {"fields": [{"name": "email", "value": "ada@raw.example"}], "context": {"hutk": "a" * 32}}
FORM = "7c1d2f64-0000-4000-8000-000000000001"
EMAIL = "ada@raw.example"
WISH = {"channel": "EMAIL", "statusState": "SUBSCRIBED", "subscriptionId": 1, "subscriberIdString": EMAIL}

# name → (versions, conversation)
CONVERSATIONS: dict[str, tuple[tuple[str, ...], tuple[Step, ...]]] = {
    "records": (
        ALL,
        (
            CONTACT,
            get("{objects}/contacts/{one}", "properties.email=ada@raw.example createdAt updatedAt archived=False"),
            Step("PATCH", "{objects}/contacts/{one}", {"properties": {"firstname": "Ada"}}, "properties.firstname=Ada"),
            get("{objects}/contacts?limit=1", "results.0.id"),
            post("{objects}/contacts/search", {"query": "ada"}, "total=1 results.0.properties"),
            Step("DELETE", "{objects}/contacts/{one}"),
            get("{objects}/contacts/{one}?archived=true", "archived=True archivedAt"),
        ),
    ),
    "batches of records": (
        ALL,
        (
            post("{properties}/deals", UNIQUE, "hasUniqueValue=True"),
            post("{objects}/deals/batch/create", {"inputs": [{"properties": {"key": "a"}}]}, "status=COMPLETE results.0.id", keep="one:results.0.id"),
            post("{objects}/deals/batch/read", {"inputs": [{"id": "a"}], "idProperty": "key", "properties": ["key"]}, "results.0.properties.key=a"),
            post("{objects}/deals/batch/update", {"inputs": [{"id": "{one}", "properties": {"key": "b"}}]}, "results.0.properties.key=b"),
            post("{objects}/deals/batch/upsert", {"inputs": [{"id": "b", "idProperty": "key", "properties": {"dealname": "B"}}]}, "results.0.new=False"),
            post("{objects}/deals/batch/archive", {"inputs": [{"id": "{one}"}]}),
        ),
    ),
    "merge and purge": (
        ALL,
        (
            CONTACT,
            post("{objects}/contacts", {"properties": {"email": "two@raw.example"}}, keep="two:id"),
            post("{objects}/contacts/merge", {"primaryObjectId": "{one}", "objectIdToMerge": "{two}"}, "id properties"),
            post("{objects}/contacts/gdpr-delete", {"objectId": EMAIL, "idProperty": "email"}),
            COMPANY,
            post("{objects}/companies", {"properties": {"domain": "other.example"}}, keep="two:id"),
            post("{objects}/companies/merge", {"primaryObjectId": "{firm}", "objectIdToMerge": "{two}"}, "id"),
            post("{objects}/companies/gdpr-delete", {"objectId": "{firm}"}),
        ),
    ),
    "properties": (
        ALL,
        (
            post("{properties}/contacts", PROPERTY, "name=plan type fieldType"),
            get("{properties}/contacts/plan", "label=Plan"),
            Step("PATCH", "{properties}/contacts/plan", {"label": "Tariff"}, "label=Tariff"),
            get("{properties}/contacts", "results.0.name"),
            post("{properties}/contacts/batch/create", {"inputs": [{**PROPERTY, "name": "seats"}]}, "results.0.name=seats status=COMPLETE"),
            post("{properties}/contacts/batch/read", {"inputs": [{"name": "seats"}]}, "results.0.name=seats"),
            post("{properties}/contacts/batch/archive", {"inputs": [{"name": "seats"}]}),
            Step("DELETE", "{properties}/contacts/plan"),
            post("{properties}/contacts/groups", {"name": "billing", "label": "Billing"}, "name=billing"),
            get("{properties}/contacts/groups", "results.1.name=billing"),
            get("{properties}/contacts/groups/billing", "label=Billing"),
            Step("PATCH", "{properties}/contacts/groups/billing", {"label": "Money"}, "label=Money"),
            Step("DELETE", "{properties}/contacts/groups/billing"),
        ),
    ),
    "custom types": (
        (*ALL, "alias"),
        (
            post("{schemas}", CAR, "objectTypeId fullyQualifiedName=p20001_car"),
            get("{schemas}?archived=false", "results.0.name=car"),
            get("{schemas}/car", "labels.plural=Cars properties associations"),
            Step("PATCH", "{schemas}/car", {"labels": {"singular": "Auto", "plural": "Autos"}}, "labels.plural=Autos"),
            post("{schemas}/car/associations", {"fromObjectTypeId": "car", "toObjectTypeId": "0-2"}, "id", keep="link:id"),
            Step("DELETE", "{schemas}/car/associations/{link}"),
            Step("DELETE", "{schemas}/car"),
        ),
    ),
    "associations": (
        ALL,
        (
            CONTACT,
            COMPANY,
            Step("PUT", "{pairs}/contacts/{one}/associations/default/companies/{firm}", None, "results.0.associationSpec.associationTypeId=279"),
            Step("PUT", "{pairs}/contacts/{one}/associations/companies/{firm}", PRIMARY, "labels.0=Primary"),
            get("{pairs}/contacts/{one}/associations/companies", "results.0.toObjectId results.0.associationTypes.0.typeId"),
            Step("DELETE", "{pairs}/contacts/{one}/associations/companies/{firm}"),
            post("{associations}/contacts/companies/batch/associate/default", {"inputs": [ENDS]}, "results.0.to.id"),
            post("{associations}/contacts/companies/batch/create", {"inputs": [{**ENDS, "types": PRIMARY}]}, "results.0.labels.0=Primary"),
            post("{associations}/contacts/companies/batch/read", {"inputs": [{"id": "{one}"}]}, "results.0.to.0.toObjectId"),
            post("{associations}/contacts/companies/batch/labels/archive", {"inputs": [{**ENDS, "types": PRIMARY}]}),
            post("{associations}/contacts/companies/batch/archive", {"inputs": [{"from": {"id": "{one}"}, "to": [{"id": "{firm}"}]}]}),
        ),
    ),
    "older associations": (
        ("v3",),
        (
            CONTACT,
            COMPANY,
            Step("PUT", "{objects}/companies/{firm}/associations/contacts/{one}/company_to_contact", None, "id properties"),
            get("{objects}/companies/{firm}/associations/contacts", "results.0.id results.0.type"),
        ),
    ),
    "labels": (
        (*ALL, "alias"),
        (
            post("{labels}/contacts/companies/labels", {"label": "Advisor", "name": "advisor"}, "results.0.typeId", keep="label:results.0.typeId"),
            get("{labels}/contacts/companies/labels", "results.0.category=HUBSPOT_DEFINED"),
            Step("PUT", "{labels}/contacts/companies/labels", {"associationTypeId": "{label}", "label": "Board"}),
            Step("DELETE", "{labels}/contacts/companies/labels/{label}"),
        ),
    ),
    "lists": (
        ALL,
        (
            CONTACT,
            post("{lists}", {"name": "A", "objectTypeId": "0-1", "processingType": "MANUAL"}, "list.listId", keep="a:list.listId"),
            post("{lists}", {"name": "B", "objectTypeId": "0-1", "processingType": "MANUAL"}, "list.listId", keep="b:list.listId"),
            get("{lists}/{a}", "list.name=A list.processingType"),
            get("{lists}?listIds={a}", "lists.0.name=A"),
            get("{lists}/object-type-id/0-1/name/A", "list.listId"),
            post("{lists}/search", {"query": "a"}, "total=1 hasMore=False lists.0.listId"),
            post("{lists}/all", {}, "lists", only=("2026-09",)),
            Step("PUT", "{lists}/{a}/memberships/add", ["{one}"], "recordIdsMissing recordIdsRemoved"),
            Step("PUT", "{lists}/{b}/memberships/add-from/{a}"),
            get("{lists}/{b}/memberships", "results.0.recordId"),
            get("{lists}/records/0-1/{one}/memberships", "results.1.listId"),
            post("{lists}/records/memberships/batch/read", {"inputs": [{"objectTypeId": "0-1", "recordId": "{one}"}]}, "results.0.recordListMemberships.0.listId"),
            Step("PUT", "{lists}/{a}/memberships/add-and-remove", {"recordIdsToAdd": [], "recordIdsToRemove": ["{one}"]}, "recordIdsRemoved.0"),
            Step("PUT", "{lists}/{b}/memberships/remove", ["{one}"], "recordIdsRemoved.0"),
            Step("DELETE", "{lists}/{b}/memberships"),
            Step("PUT", "{lists}/{a}/update-list-name?listName=C", None, "updatedList.name=C"),
            get("{lists}/idmapping?legacyListId={a}", "listId"),
            post("{lists}/idmapping", ["{a}"], "legacyListIdsToIdsMapping.0.listId"),
            Step("DELETE", "{lists}/{a}"),
            Step("PUT", "{lists}/{a}/restore"),
        ),
    ),
    "owners": (
        ALL,
        (get("{owners}", "results.0.email", keep="one:results.0.id"), get("{owners}/{one}", "firstName=Ada userId")),
    ),
    "pipelines": (
        ALL,
        (
            get("{pipelines}/deals", "results.0.stages.0.id=appointmentscheduled"),
            post("{pipelines}/deals", {"label": "P", "displayOrder": 1, "stages": [STAGE]}, "id", keep="p:id"),
            get("{pipelines}/deals/{p}", "label=P stages.0.label=Open"),
            Step("PATCH", "{pipelines}/deals/{p}", {"label": "Q"}, "label=Q"),
            Step("PUT", "{pipelines}/deals/{p}", {"label": "R", "displayOrder": 1, "stages": [STAGE]}, "label=R"),
            post("{pipelines}/deals/{p}/stages", {**STAGE, "label": "Won"}, "id", keep="s:id"),
            get("{pipelines}/deals/{p}/stages", "results.1.label=Won"),
            get("{pipelines}/deals/{p}/stages/{s}", "metadata.probability=0.5"),
            Step("PATCH", "{pipelines}/deals/{p}/stages/{s}", {"label": "Lost", "metadata": {}}, "label=Lost"),
            Step("PUT", "{pipelines}/deals/{p}/stages/{s}", STAGE, "label=Open"),
            Step("DELETE", "{pipelines}/deals/{p}/stages/{s}"),
            Step("DELETE", "{pipelines}/deals/{p}"),
        ),
    ),
    "events": (
        ALL,
        (
            CONTACT,
            post("{definitions}", {"label": "Played", "includeDefaultProperties": True, "propertyDefinitions": []}, "fullyQualifiedName=pe20001_played objectTypeId properties"),
            get("{definitions}?searchString=play", "results.0.name=played"),
            get("{definitions}/played/?includeProperties=true", "labels.singular=Played"),
            Step("PATCH", "{definitions}/played", {"description": "Music"}, "description=Music"),
            post("{definitions}/played/property", {"name": "title", "label": "Title", "type": "string"}, "name=title type=string"),
            Step("PATCH", "{definitions}/played/property/title", {"label": "Name"}, "label=Name"),
            post("{send}", {"eventName": "pe20001_played", "objectId": "{one}", "properties": {"title": "A"}}),
            post("{send}/batch", {"inputs": [{"eventName": "pe20001_played", "email": EMAIL, "properties": {}}]}),
            get("{events}?objectType=contact&objectId={one}", "results.1.eventType=pe20001_played"),
            get("{events}/event-types", "eventTypes.0=pe20001_played"),
            Step("DELETE", "{definitions}/played/property/title"),
            Step("DELETE", "{definitions}/played"),
        ),
    ),
    "oauth": (
        ALL,
        (
            get("/oauth/authorize?client_id=sandbox-client&redirect_uri=https://app.example/cb&scope=oauth", open=True),
            get("/oauth/20001/authorize?client_id=sandbox-client&redirect_uri=https://app.example/cb&approve=1&scope=oauth", keep="code:code", open=True),
            post("{oauth}/token", f"{APP}&grant_type=authorization_code&redirect_uri=https://app.example/cb&code={{code}}", "token_type=bearer expires_in=1800 refresh_token", keep="access:access_token", open=True),
            post("{oauth}/token/introspect", f"{APP}&token={{access}}", "active=True hub_id=20001 token_use=access_token", open=True),
            post("{oauth}/token/revoke", f"{APP}&token={{access}}", open=True),
        ),
    ),
    "account": (
        ALL,
        (
            get("{account}/details", "portalId=20001 timeZone dataHostingLocation"),
            get("{account}/api-usage/daily/private-apps", "results.0.usageLimit results.0.currentUsage"),
            get("{limits}/custom-properties", "overallLimit=10000 byObjectType.0.singularLabel"),
            get("{limits}/records", "hubspotDefinedObjectTypes.0.limit customObjectTypes.overallUsage=0"),
        ),
    ),
    "webhooks": (
        ALL,
        (
            Step("PUT", "{webhooks}/7/settings", HOOK, "targetUrl throttling.period=SECONDLY"),
            get("{webhooks}/7/settings", "targetUrl createdAt"),
            post("{webhooks}/7/subscriptions", CHANGES, "id eventType=contact.creation", keep="s:id"),
            get("{webhooks}/7/subscriptions", "results.0.id"),
            get("{webhooks}/7/subscriptions/{s}", "active=False"),
            Step("PATCH", "{webhooks}/7/subscriptions/{s}", {"active": True}, "active=True"),
            post("{webhooks}/7/subscriptions/batch/update", {"inputs": [{"id": "{s}", "active": False}]}, "results.0.active=False"),
            Step("DELETE", "{webhooks}/7/subscriptions/{s}"),
            Step("DELETE", "{webhooks}/7/settings"),
        ),
    ),
    "forms": (
        ("v3", "2026-09"),
        (
            get("{forms}", "results.0.name", keep="form:results.0.id"),
            get("{forms}/{form}", "fieldGroups.0.fields.0.name=email"),
            post(f"/submissions/v3/integration/submit/20001/{FORM}", SUBMISSION, "inlineMessage", open=True),
            post(f"/submissions/v3/integration/secure/submit/20001/{FORM}", SUBMISSION, "inlineMessage"),
            get(f"/form-integrations/v1/submissions/forms/{FORM}", "results.1.values.0.name=email"),
        ),
    ),
    "marketing": (
        ALL,
        (
            get("{emails}", "total=2 results.0.subject=Welcome", keep="mail:results.0.id"),
            get("{emails}/{mail}", "name=Welcome state"),
            get("{emails}/statistics/list", "aggregate.counters emails.0=9001"),
            get("{campaigns}", "results.0.properties.hs_name=Spring", keep="c:results.0.id"),
            get("{campaigns}/{c}", "id"),
            get("{campaigns}/{c}/assets/MARKETING_EMAIL", "results.0.name=Welcome"),
            get("{campaigns}/{c}/reports/metrics", "sessions=0"),
            get("{campaigns}/asset-types", "results", only=("2026-09",)),
            get("{campaigns}/clone/asset-types", "results", only=("2026-09",)),
        ),
    ),
    "preferences": (
        ALL,
        (
            get("{preferences}/definitions", "status=COMPLETE results.0.name"),
            post("{preferences}/statuses/" + EMAIL, WISH, "results.0.status=SUBSCRIBED"),
            get("{preferences}/statuses/" + EMAIL + "?channel=EMAIL", "results.0.status=SUBSCRIBED"),
            get("{preferences}/status/email/" + EMAIL, "recipient subscriptionStatuses.0.id", only=("2026-09",)),
            get("{preferences}/statuses/" + EMAIL + "/unsubscribe-all?channel=EMAIL", "results.0.status"),
            post("{preferences}/statuses/batch/write", {"inputs": [WISH]}, "results.0.status=SUBSCRIBED"),
            post("{preferences}/statuses/batch/read?channel=EMAIL", {"inputs": [EMAIL]}, "results.0.statuses.0.status=SUBSCRIBED"),
            post("{preferences}/statuses/" + EMAIL + "/unsubscribe-all?channel=EMAIL", None),
            post("{preferences}/statuses/batch/unsubscribe-all?channel=EMAIL", {"inputs": [EMAIL]}, "results.0.subscriberIdString"),
            post("{preferences}/statuses/batch/unsubscribe-all/read?channel=EMAIL", {"inputs": [EMAIL]}, "results.0.wideStatuses.0.status=UNSUBSCRIBED"),
        ),
    ),
    "legacy": (
        ("v3",),
        (
            post("/contacts/v1/contact", {"properties": [{"property": "email", "value": EMAIL}]}, "vid properties"),
            post(f"/contacts/v1/contact/createOrUpdate/email/{EMAIL}", {"properties": []}, "vid isNew=False"),
            post("/contacts/v1/contact/batch/", [{"email": "b@raw.example", "properties": []}]),
            get("/properties/v1/contacts/properties", "0.name"),
            get(f"/v1/event?_a=20001&_n=Played&email={EMAIL}", open=True),
            post("/oauth/v2/private-apps/get/access-token-info", {"tokenKey": "sandbox-token"}, "hubId=20001 scopes"),
        ),
    ),
    "browser": (
        ("v3",),
        (
            get("/20001.js", open=True),
            get("/analytics/1800000000000/20001.js", open=True),
            get("/forms/v2.js", open=True),
            get("/__ptq.gif?k=1&a=20001&pu=https://raw.example/&vi=abc", open=True),
        ),
    ),
}  # fmt: skip


def filled(value: Any, names: dict[str, str]) -> Any:
    """A path or a body with what is known put in."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: names[m[1]], value)
    if isinstance(value, list):
        return [filled(v, names) for v in value]
    return {k: filled(v, names) for k, v in value.items()} if isinstance(value, dict) else value


def reach(answer: Any, path: str) -> Any:
    """What an answer holds under a dotted path."""
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


class Caller:
    """Sends steps over one connection."""

    def __init__(self, url: str, token: str, names: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.token = token
        self.names = dict(names)

    def send(self, step: Step) -> tuple[int, Any, str]:
        """Status, answer (JSON, or what a redirect carries, or bytes) and media type."""
        headers = {} if step.open else {"Authorization": f"Bearer {self.token}"}
        body = filled(step.body, self.names)
        if isinstance(body, str):
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(body)
        self.connection.request(step.method, filled(step.path, self.names), body, headers)
        answer = self.connection.getresponse()
        data, kind = answer.read(), answer.headers.get_content_type()
        assert answer.headers["X-HubSpot-Correlation-Id"]
        if answer.status == 302:
            query = urlsplit(answer.headers["Location"]).query
            return 302, dict(pair.split("=", 1) for pair in query.split("&")), kind
        return answer.status, json.loads(data) if data and kind == "application/json" else data, kind


@pytest.fixture
def caller(recorder: Any, request: pytest.FixtureRequest) -> Any:
    """A caller under the version that a test is for."""
    made = Caller(recorder.url, recorder.token, BASES[request.param])
    with recorder.note(RAW):
        yield made
    made.connection.close()


CASES = [(v, name) for name, (versions, _) in CONVERSATIONS.items() for v in versions]


@pytest.mark.parametrize(("caller", "name"), CASES, indirect=["caller"], ids=[f"{n}-{v}" for v, n in CASES])
def test_conversation(caller: Caller, name: str, recorder: Any) -> None:
    """Each step is answered with the documented status and shape, and what it made can be used by the next."""
    version = next(v for v, bases in BASES.items() if bases.items() <= caller.names.items())
    for step in CONVERSATIONS[name][1]:
        if step.only and version not in step.only:
            continue
        status, answer, _ = caller.send(step)
        path = filled(step.path, caller.names).partition("?")[0]
        where = f"{step.method} {path}: {status} {answer!r:.300}"
        operation = recorder.operation(step.method, path)
        expected = recorder.operations.get(operation) or range(200, 400)
        assert status in expected, where
        for wanted in step.has.split():
            dotted, _, value = wanted.partition("=")
            found = reach(answer, dotted)
            assert not value or str(found) == value, f"{wanted} in {where}"
        if step.keep:
            to, _, dotted = step.keep.partition(":")
            caller.names[to] = str(reach(answer, dotted))
        if status == 204:
            assert answer == b"", where


@pytest.mark.parametrize("caller", ["v3"], indirect=True)
@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/20001.js", "application/javascript", b"_hsq"),
        ("/analytics/1800000000000/20001.js", "application/javascript", b"20001"),
        ("/forms/v2.js", "application/javascript", b"hbspt"),
        ("/__ptq.gif?k=1&a=20001", "image/gif", b"GIF89a"),
        ("/v1/event?_a=20001&_n=x", "image/gif", b"GIF89a"),
        (
            "/oauth/authorize?client_id=sandbox-client&redirect_uri=https://app.example/",
            "text/html",
            b"Connect",
        ),
    ],
)
def test_what_browsers_load(caller: Caller, path: str, kind: str, part: bytes) -> None:
    """Scripts, pixels and the consent page have their media type and their content."""
    status, answer, found = caller.send(get(path, open=True))
    assert (status, found) == (200, kind)
    assert part in answer


@pytest.mark.parametrize("caller", ["2026-09"], indirect=True)
def test_a_form_body_is_what_oauth_documents(caller: Caller) -> None:
    """Wrong app secrets are refused with the error of OAuth."""
    form = urlencode({"grant_type": "refresh_token", "client_id": "sandbox-client", "client_secret": "wrong"})
    status, answer, _ = caller.send(post("{oauth}/token", form, open=True))
    assert status == 400
    assert answer["error"] == "invalid_grant"
