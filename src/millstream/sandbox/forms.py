"""Forms, their submissions (what a browser or a server sends to api.hsforms.com), marketing emails and campaigns."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Complaint, Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Reply, Route, family, page_of, route

_SINCE: Final = "2026-01-01T00:00:00.000Z"
FORM: Final[dict[str, Any]] = {
    "id": "7c1d2f64-0000-4000-8000-000000000001",
    "formType": "hubspot",
    "name": "Contact us",
    "createdAt": _SINCE,
    "updatedAt": _SINCE,
    "archived": False,
    "fieldGroups": [
        {
            "groupType": "default_group",
            "richTextType": "text",
            "fields": [
                {"objectTypeId": "0-1", "name": n, "label": n, "required": n == "email", "hidden": False,
                 "dependentFields": [], "fieldType": "email" if n == "email" else "single_line_text",
                 "validation": {"blockedEmailDomains": [], "useDefaultBlockList": False} if n == "email" else {}}
                for n in ("email", "firstname", "lastname", "company")
            ],
        }
    ],
    "configuration": {
        "language": "en", "cloneable": True, "editable": True, "archivable": True, "recaptchaEnabled": False,
        "notifyContactOwner": False, "notifyRecipients": [], "createNewContactForNewEmail": True,
        "prePopulateKnownValues": True, "allowLinkToResetKnownValues": False, "lifecycleStages": [],
        "postSubmitAction": {"type": "thank_you", "value": "Thanks for submitting the form."},
    },
    "displayOptions": {
        "renderRawHtml": False, "theme": "default_style", "submitButtonText": "Submit", "cssClass": "hs-form",
        "style": {
            "fontFamily": "arial, helvetica, sans-serif", "backgroundWidth": "100%",
            "labelTextColor": "#33475b", "labelTextSize": "11px", "helpTextColor": "#7C98B6",
            "helpTextSize": "11px", "legalConsentTextColor": "#33475b", "legalConsentTextSize": "14px",
            "submitColor": "#ff7a59", "submitFontColor": "#ffffff", "submitSize": "12px",
            "submitAlignment": "left",
        },
    },
    "legalConsentOptions": {"type": "none"},
}  # fmt: skip
EMAILS: Final[tuple[dict[str, Any], ...]] = tuple(
    {
        "id": str(number),
        "name": name,
        "subject": name,
        "state": "PUBLISHED",
        "type": "BATCH_EMAIL",
        "subcategory": "batch",
        "language": "en",
        "isPublished": True,
        "isAb": False,
        "sendOnPublish": True,
        "archived": False,
        "createdAt": _SINCE,
        "updatedAt": _SINCE,
        "publishDate": _SINCE,
        "content": {},
        "from": {"fromName": "Portal", "replyTo": "news@portal.example"},
        "to": {},
        "campaign": "11111111-0000-4000-8000-000000000001",
    }
    for number, name in ((9001, "Welcome"), (9002, "News of the month"))
)
CAMPAIGN: Final[dict[str, Any]] = {
    "id": "11111111-0000-4000-8000-000000000001",
    "properties": {"hs_name": "Spring", "hs_start_date": "2026-03-01"},
    "createdAt": _SINCE,
    "updatedAt": _SINCE,
    "businessUnits": [],
}


def forms(_portal: Portal, call: Call) -> Reply:
    """`GET /forms`."""
    return 200, page_of([FORM], call.query, 20, 100)


def form(_portal: Portal, call: Call) -> Reply:
    """`GET /forms/{formId}`."""
    if call["formId"] != FORM["id"]:
        raise Refused(404, "resource not found", "OBJECT_NOT_FOUND")
    return 200, FORM


def submit(portal: Portal, call: Call) -> Reply:
    """`POST …/submit/{portalId}/{formGuid}`: the contact is made or updated, the visitor's cookie linked."""
    body = call.object
    if call["portalId"] != str(portal.config.portal_id):
        raise _invalid(f"The portal {call['portalId']} does not exist", "INVALID_PORTAL")
    values = {payload.text(f, "name"): payload.text(f, "value") for f in payload.mappings(body, "fields")}
    context = payload.mapping(body, "context")
    visitor, page = payload.text(context, "hutk"), payload.text(context, "pageUri")
    contacts = portal.type("contacts")
    email = values.get("email", "")
    if not email:
        raise _invalid("Required field 'email' is missing", "REQUIRED_FIELD")
    try:
        checked = contacts.check({n: v for n, v in values.items() if n in contacts.definitions})
    except Complaint as complaint:
        raise _invalid(
            complaint.message, "INVALID_EMAIL" if "Email" in complaint.message else "FIELD_ERROR"
        ) from None
    found = contacts.find(email, "email")
    now = portal.stamp()
    if found is None:
        found = contacts.create(checked, now)
    else:
        contacts.write(found, checked, now)
    if visitor:
        portal.visitors[visitor] = found.id
    portal.submissions.append(
        {
            "formGuid": call["formGuid"],
            "submittedAt": now,
            "values": [{"name": n, "value": v, "objectTypeId": "0-1"} for n, v in values.items()],
            "pageUrl": page or None,
            "hutk": visitor or None,
            "contact": found.id,
        }
    )
    return 200, {"inlineMessage": "Thanks for submitting the form."}


def _invalid(message: str, kind: str) -> Refused:
    return Refused(
        400,
        "The request is not valid",
        "",
        errors=[{"message": f"Error in 'fields'. {message}", "errorType": kind}],
    )


def submissions(portal: Portal, call: Call) -> Reply:
    """`GET /form-integrations/v1/submissions/forms/{formId}`."""
    return 200, page_of(
        [s for s in portal.submissions if s["formGuid"] == call["formId"]], call.query, 20, 50
    )


def emails(_portal: Portal, call: Call) -> Reply:
    """`GET /emails`."""
    return 200, {"total": len(EMAILS), **page_of(EMAILS, call.query, 10, 100)}


def email(_portal: Portal, call: Call) -> Reply:
    """`GET /emails/{emailId}`."""
    found = next((e for e in EMAILS if e["id"] == call["emailId"]), None)
    if found is None:
        raise Refused(404, "resource not found", "OBJECT_NOT_FOUND")
    return 200, found


def statistics(_portal: Portal, _call: Call) -> Reply:
    """`GET /emails/statistics/list`: nothing was sent from here."""
    counters = dict.fromkeys(("sent", "open", "delivered", "bounce", "unsubscribed", "click", "reply"), 0)
    ids = [int(e["id"]) for e in EMAILS]
    none = {"counters": counters, "ratios": {}, "deviceBreakdown": {}, "qualifierStats": {}}
    return 200, {"aggregate": none, "campaignAggregations": {}, "emails": ids}


def campaigns(_portal: Portal, call: Call) -> Reply:
    """`GET /campaigns`."""
    return 200, {"total": 1, **page_of([CAMPAIGN], call.query, 50, 100)}


def campaign(_portal: Portal, call: Call) -> Reply:
    """`GET /campaigns/{campaignGuid}`."""
    _known(call)
    return 200, {**CAMPAIGN, "assets": {}}


def assets(_portal: Portal, call: Call) -> Reply:
    """`GET /campaigns/{campaignGuid}/assets/{assetType}`."""
    _known(call)
    found = [{"id": e["id"], "name": e["name"], "metrics": {}} for e in EMAILS]
    return 200, {"results": found if call["assetType"].upper() == "MARKETING_EMAIL" else []}


def metrics(_portal: Portal, call: Call) -> Reply:
    """`GET /campaigns/{campaignGuid}/reports/metrics`."""
    _known(call)
    return 200, {
        "sessions": 0,
        "newContactsFirstTouch": 0,
        "newContactsLastTouch": 0,
        "influencedContacts": 0,
    }


def asset_types(_portal: Portal, _call: Call) -> Reply:
    """`GET /campaigns/asset-types`."""
    return 200, {"results": [{"assetType": t} for t in ("MARKETING_EMAIL", "FORM", "OBJECT_LIST")]}


def _known(call: Call) -> None:
    if call["campaignGuid"] != CAMPAIGN["id"]:
        raise Refused(404, "resource not found", "OBJECT_NOT_FOUND")


_EMAILS: Final = ("/marketing/v3/emails", "/marketing/emails/{}")
_CAMPAIGNS: Final = ("/marketing/v3/campaigns", "/marketing/campaigns/{}")
_FORMS: Final = ("/marketing/v3/forms", "/marketing/forms/{}")
_SUBMIT: Final = "/submissions/v3/integration"
ROUTES: Final[list[Route]] = [
    *route("GET", family(*_FORMS), forms),
    *route("GET", family(*_FORMS, "/{formId}"), form),
    *route("POST", f"{_SUBMIT}/submit/{{portalId}}/{{formGuid}}", submit, open=True),
    *route("POST", f"{_SUBMIT}/secure/submit/{{portalId}}/{{formGuid}}", submit),
    *route("GET", "/form-integrations/v1/submissions/forms/{formId}", submissions),
    *route("GET", family(*_EMAILS), emails),
    *route("GET", family(*_EMAILS, "/statistics/list"), statistics),
    *route("GET", family(*_EMAILS, "/{emailId}"), email),
    *route("GET", family(*_CAMPAIGNS), campaigns),
    *route("GET", family(*_CAMPAIGNS, "/asset-types"), asset_types),
    *route("GET", family(*_CAMPAIGNS, "/clone/asset-types"), asset_types),
    *route("GET", family(*_CAMPAIGNS, "/{campaignGuid}"), campaign),
    *route("GET", family(*_CAMPAIGNS, "/{campaignGuid}/assets/{assetType}"), assets),
    *route("GET", family(*_CAMPAIGNS, "/{campaignGuid}/reports/metrics"), metrics),
]
