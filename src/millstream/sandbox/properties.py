"""Property definitions of a portal: the standard ones, those that clients made, and what values fit them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from millstream.sandbox.errors import Refused

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
READ_ONLY: Final = frozenset({"createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"})
EMAIL: Final = re.compile(r"^[^@\s,;<>()\"]+@[^@\s,;<>()\"]+\.[^@\s.]{2,}$")
_NAME: Final = re.compile(r"^[a-z][a-z0-9_]*$")
_TYPES: Final = ("string", "number", "date", "datetime", "enumeration", "bool", "phone_number")


def standard(object_type: str) -> dict[str, dict[str, Any]]:
    """The definitions that every portal has."""
    found: dict[str, dict[str, Any]] = {}
    for name, kind in STANDARD.get(object_type, {"hs_object_id": "number number", "name": _TEXT}).items():
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
    """The definition that a client asks for. Raises `Refused`."""
    for name in ("name", "label", "type", "fieldType", "groupName"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Refused(400, f"Invalid input JSON: some required fields were not set: [{name}]")
    if not _NAME.match(body["name"]) or len(body["name"]) > 100:
        raise Refused(
            400, f"Property name '{body['name']}' is not valid: lower-case letters, digits and underscores"
        )
    if body["type"] not in _TYPES:
        raise Refused(400, f"Invalid input JSON: {body['type']} is not a property type")
    return {
        "description": "",
        "options": [],
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": False,
        "calculated": False,
        "archived": False,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
        **body,
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
    if kind == "number" and not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text):
        return "INVALID_INTEGER", f"{text} was not a valid number."
    if kind == "bool" and text not in {"true", "false"}:
        return "INVALID_OPTION", f"{text} was not one of the allowed options: [true, false]"
    if kind == "enumeration":
        allowed = [o["value"] for o in definition["options"]]
        for part in text.lstrip(";").split(";") if definition["fieldType"] == "checkbox" else [text]:
            if part not in allowed:
                return "INVALID_OPTION", f"{part} was not one of the allowed options: [{', '.join(allowed)}]"
    if kind == "date":
        return _date(text)
    if kind == "datetime" and _moment(text) is None:
        return "INVALID_LONG", f"{text} was not a valid long."
    if len(text) > 65_536:
        return "PROPERTY_VALUE_TOO_LONG", f"{name} is longer than 65536 characters"
    return None


def _date(text: str) -> tuple[str, str] | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return None
    if re.fullmatch(r"-?\d+", text):
        if int(text) % 86_400_000:
            clock = datetime.fromtimestamp(int(text) / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
            return "INVALID_DATE", f"{text} is at {clock} UTC, not midnight!"
        return None
    return "INVALID_LONG", f"{text} was not a valid long."


def _moment(text: str) -> float | None:
    if re.fullmatch(r"-?\d+", text):
        return float(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
