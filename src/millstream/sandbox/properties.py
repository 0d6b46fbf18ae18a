"""Property definitions of a portal: the standard ones, those that clients made, and what values fit them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import STAGE, Refused
from millstream.sandbox.fields import FIELDS

STAGES: Final = (
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
)
_TEXT: Final = "string text"
STANDARD: Final[dict[str, dict[str, str]]] = {
    "contacts": {
        **dict.fromkeys(
            (
                "email",
                "firstname",
                "lastname",
                "company",
                "jobtitle",
                "website",
                "address",
                "city",
                "state",
                "country",
            ),
            _TEXT,
        ),
        **dict.fromkeys(
            ("zip", "salutation", "industry", "twitterhandle", "hs_language", "hs_additional_emails"), _TEXT
        ),
        "phone": "string phonenumber",
        "mobilephone": "string phonenumber",
        "lifecyclestage": "enumeration radio",
        "hs_lead_status": "enumeration radio",
        "date_of_birth": _TEXT,
        "annualrevenue": _TEXT,
        "closedate": "datetime date",
        "createdate": "datetime date",
        "lastmodifieddate": "datetime date",
        "hs_object_id": "number number",
        "numemployees": "enumeration select",
    },
    "companies": {
        **dict.fromkeys(
            (
                "name",
                "domain",
                "website",
                "description",
                "address",
                "address2",
                "city",
                "state",
                "country",
                "zip",
            ),
            _TEXT,
        ),
        "phone": "string phonenumber",
        "industry": "enumeration select",
        "numberofemployees": "number number",
        "annualrevenue": "number number",
        "lifecyclestage": "enumeration radio",
        "createdate": "datetime date",
        "hs_lastmodifieddate": "datetime date",
        "hs_object_id": "number number",
    },
    "deals": {
        **dict.fromkeys(("dealname", "description", "dealstage", "pipeline"), _TEXT),
        "amount": "number number",
        "closedate": "datetime date",
        "createdate": "datetime date",
        "hs_lastmodifieddate": "datetime date",
        "hs_object_id": "number number",
    },
    "tickets": {
        **dict.fromkeys(("subject", "content", "hs_pipeline", "hs_pipeline_stage"), _TEXT),
        "createdate": "datetime date",
        "hs_lastmodifieddate": "datetime date",
        "hs_object_id": "number number",
    },
}
_OTHERS: Final = {
    **dict.fromkeys(("name", "hs_name", "hs_title", "description", "hs_body"), _TEXT),
    **dict.fromkeys(("amount", "price", "quantity", "hs_object_id"), "number number"),
    "hs_timestamp": "datetime date",
    "createdate": "datetime date",
    "hs_lastmodifieddate": "datetime date",
}
OPTIONS: Final = {
    "lifecyclestage": STAGES,
    "hs_lead_status": (
        ("NEW", "New"),
        ("OPEN", "Open"),
        ("IN_PROGRESS", "In Progress"),
        ("CONNECTED", "Connected"),
    ),
    "industry": (("COMPUTER_SOFTWARE", "Computer Software"), ("INTERNET", "Internet"), ("RETAIL", "Retail")),
    "numemployees": (("1-5", "1-5"), ("5-25", "5-25"), ("25-50", "25-50")),
}
STAGE_PROPERTIES: Final = frozenset({"dealstage", "hs_pipeline_stage"})
READ_ONLY: Final = frozenset({"createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"})
EMAIL: Final = re.compile(r"^[^@\s,;<>()\"]+@[^@\s,;<>()\"]+\.[^@\s.]{2,}$")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_OWN: Final = frozenset(
    {"name", "hubspotDefined", "calculated", "archived", "modificationMetadata", "createdAt"}
)
_TYPES: Final = ("string", "number", "date", "datetime", "enumeration", "bool", "phone_number")


def standard(object_type: str) -> dict[str, dict[str, Any]]:
    """The definitions that every portal has."""
    found: dict[str, dict[str, Any]] = {}
    for name, kind in STANDARD.get(object_type, {**_OTHERS, **FIELDS.get(object_type, {})}).items():
        type_, field_type = kind.split()
        found[name] = {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "type": type_,
            "fieldType": field_type,
            "groupName": f"{object_type.rstrip('s')}information",
            "description": "",
            "options": [
                {"label": label, "value": value, "displayOrder": i, "hidden": False}
                for i, (value, label) in enumerate(OPTIONS.get(name, ()))
            ],
            "hasUniqueValue": False,
            "hidden": False,
            "hubspotDefined": True,
            "calculated": False,
            "archived": False,
            "modificationMetadata": {
                "archivable": False,
                "readOnlyDefinition": True,
                "readOnlyValue": name in READ_ONLY,
            },
        }
    return found


def created(body: dict[str, Any]) -> dict[str, Any]:
    """The definition that a client asks for. Raises `Refused` and `Misfit`."""
    needed = ("name", "label", "type", "fieldType", "groupName")
    missing = [n for n in needed if not payload.text(body, n)]
    if missing:
        raise payload.unset(body, *missing)
    if not _NAME.fullmatch(payload.text(body, "name")) or len(body["name"]) > 100:
        raise Refused(
            400, f"Property name '{body['name']}' is not valid: lower-case letters, digits and underscores"
        )
    return {
        "hubspotDefined": False,
        "calculated": False,
        "archived": False,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
        **{n: payload.text(body, n) for n in needed},
        **changed({"description": "", "options": [], "hasUniqueValue": False, "hidden": False, **body}),
    }


def changed(body: dict[str, Any]) -> dict[str, Any]:
    """The parts of a definition that a client may give and change, each as it must be. Raises `Misfit`."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if name in {"label", "type", "fieldType", "groupName", "description"}:
            found[name] = payload.text(body, name)
        elif name in {"hasUniqueValue", "hidden", "formField", "externalOptions"}:
            found[name] = payload.text(body, name) == "true"
        elif name == "displayOrder":
            found[name] = payload.number(body, name, -1)
        elif name == "options":
            found[name] = [_option(o, i) for i, o in enumerate(payload.mappings(body, name))]
        elif name not in _OWN and not isinstance(value, dict | list):
            found[name] = value
    if found.get("type", "string") not in _TYPES:
        raise payload.Misfit(body, "type", f"{found['type']} is not a property type")
    return found


def _option(given: dict[str, Any], at: int) -> dict[str, Any]:
    value = payload.text(given, "value")
    return {
        "label": payload.text(given, "label") or value,
        "value": value,
        "displayOrder": payload.number(given, "displayOrder", at),
        "hidden": payload.text(given, "hidden") == "true",
    }


def problem(definition: dict[str, Any], value: Any) -> tuple[str, str] | None:
    """Why a value does not fit (code, message), or None."""
    text = str(value)
    if text == "":
        return None
    name = definition["name"]
    if definition["modificationMetadata"]["readOnlyValue"]:
        return "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
    kind = definition["type"]
    if name == "email" and not EMAIL.match(text.strip()):
        return "INVALID_EMAIL", f"Email address {text} is invalid"
    if kind == "number" and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
        return "INVALID_INTEGER", f"{text} was not a valid number"
    if kind == "bool" and text not in {"true", "false"}:
        return "INVALID_OPTION", f"{text} was not one of the allowed options: [true, false]"
    if kind == "enumeration":
        allowed = [o["value"] for o in definition["options"]]
        for part in text.lstrip(";").split(";") if definition["fieldType"] == "checkbox" else [text]:
            if part not in allowed:
                return "INVALID_OPTION", f"{part} was not one of the allowed options: [{_listed(definition)}]"
    if kind == "date":
        return _date(text)
    if kind == "datetime" and _moment(text) is None:
        return "INVALID_LONG", f"{text} was not a valid long."
    if len(text) > 65_536:
        return "PROPERTY_VALUE_TOO_LONG", f"{name} is longer than 65536 characters"
    return None


def _listed(definition: dict[str, Any]) -> str:
    """The options in a complaint: whole ones for the properties that HubSpot defines, else values."""
    if not definition["hubspotDefined"]:
        return ", ".join(o["value"] for o in definition["options"])
    return ", ".join(
        f'label: "{o["label"]}"\nvalue: "{o["value"]}"\ndisplay_order: {o["displayOrder"]}\n'
        f"hidden: {str(o['hidden']).lower()}\nread_only: false\n"
        for o in definition["options"]
    )


def stage_problem(value: str, stages: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """Why a value is no stage of any pipeline, or None."""
    if any(value in known for known in stages.values()):
        return None
    listed = ", ".join(f"pipelineId={name} : [{', '.join(known)}]" for name, known in stages.items())
    return "INVALID_OPTION", f"{value} {STAGE} Valid options are: {listed}"


def _date(text: str) -> tuple[str, str] | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return None
    if re.fullmatch(r"-?[0-9]{1,14}", text):
        if int(text) % 86_400_000:
            since = datetime(1970, 1, 1, tzinfo=UTC)
            clock = (since + timedelta(milliseconds=int(text) % 86_400_000)).strftime("%H:%M:%S.%f")[:-3]
            return "INVALID_DATE", f"{text} is at {clock} UTC, not midnight!"
        return None
    return "INVALID_LONG", f"{text} was not a valid long."


def _moment(text: str) -> float | None:
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return float(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
