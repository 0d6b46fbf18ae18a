"""`millstream check --online`: what the portal is, and what each missing scope takes away (SEMANTICS 8, 38)."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Final

from millstream.destinations.hubspot.destination import Built
from millstream.hubspot_api.client import Client
from millstream.hubspot_api.errors import HubSpotError, Unreachable
from millstream.hubspot_api.requests import Operations, Request

_SCOPES: Final = {
    "crm.objects.contacts.write": "contacts cannot be written",
    "crm.objects.contacts.read": "contacts cannot be looked up",
    "crm.objects.companies.write": "companies cannot be written",
    "crm.objects.companies.read": "companies cannot be adopted by domain",
    "crm.schemas.contacts.write": "missing contact properties cannot be made",
    "crm.schemas.companies.write": "missing company properties, millstream_domain among them, cannot be made",
    "behavioral_events.event_definitions.read_write": "event definitions cannot be read or made: no custom events",
    "behavioral_events.send.write": "custom events cannot be sent",
}


async def examine(built: Built, *, probe: bool) -> tuple[bool, list[tuple[str, str]]]:
    """Whether everything is right, and the findings in order."""
    settings = built.settings
    client, operations = built.sink.client, Operations(str(settings["api_version"]))
    findings: list[tuple[str, str]] = []
    try:
        account = (await client.send(operations.account())).json()
    except (HubSpotError, Unreachable) as error:
        return False, [("account", f"cannot be read: {error}")]
    portal = str(account.get("portalId"))
    ok = portal == str(settings["portal_id"])
    findings.append(
        ("portal", portal if ok else f"{portal}, but the configuration says {settings['portal_id']}")
    )
    findings += [
        ("account type", str(account.get("accountType"))),
        ("data centre", str(account.get("dataHostingLocation"))),
        ("time zone", str(account.get("timeZone"))),
        ("limit", f"{built.budget.limit} calls per 10 s"),
    ]
    if built.budget.daily_limit:
        findings.append(("today", f"{built.budget.daily_remaining} of {built.budget.daily_limit} calls left"))
    try:
        info = (await client.send(operations.token_info(str(settings["access_token"])))).json()
        scopes = {str(s) for s in info.get("scopes") or []}
        missing = {s: lost for s, lost in _SCOPES.items() if s not in scopes}
        findings.append(("scopes", f"{len(scopes)} granted"))
        findings += [(f"missing {scope}", lost) for scope, lost in missing.items()]
    except (HubSpotError, Unreachable) as error:
        findings.append(("scopes", f"cannot be read with this kind of token: {error}"))
    if probe:
        findings += await _probe(client, operations)
    return ok, findings


async def _probe(client: Client, operations: Operations) -> list[tuple[str, str]]:
    """One marked contact tells how partial upserts by email behave; it is archived afterwards."""
    email = f"millstream-probe-{uuid.uuid4().hex[:12]}@example.com"

    async def upsert(properties: dict[str, str]) -> Any:
        row = {"id": email, "idProperty": "email", "properties": properties, "objectWriteTraceId": "1"}
        return await _json(client, operations.batch("contacts", "upsert", [row]))

    try:
        made = await upsert({"firstname": "Millstream", "lastname": "Probe"})
        record = str(made["results"][0]["id"])
        await asyncio.sleep(1)
        await upsert({"firstname": "Millstream2"})
        read = await _json(
            client,
            operations.batch("contacts", "read", [{"id": record}], properties=["firstname", "lastname"]),
        )
        kept = (read["results"][0]["properties"] or {}).get("lastname") == "Probe"
        bad = {
            "id": f"x-{email}",
            "idProperty": "email",
            "properties": {"millstream_no_such": "1"},
            "objectWriteTraceId": "2",
        }
        good = {
            "id": email,
            "idProperty": "email",
            "properties": {"firstname": "Millstream"},
            "objectWriteTraceId": "1",
        }
        try:
            answer = await client.send(operations.batch("contacts", "upsert", [good, bad]))
            partial = "partial success (207)" if answer.status == 207 else f"answered {answer.status}"
        except HubSpotError as error:
            partial = f"the whole batch fails ({error.refusal.status})"
        await client.send(operations.archive("contacts", record))
    except (HubSpotError, Unreachable, KeyError, IndexError) as error:
        return [("probe", f"could not be finished: {error}")]
    advice = "works" if kept else "clears what is not sent: set contact_lookup: read_first"
    return [("partial upsert by email", advice), ("trace ids on upsert", partial)]


async def _json(client: Client, request: Request) -> Any:
    return (await client.send(request)).json()
