"""Pipelines and their stages, for deals, tickets and any other type."""

from __future__ import annotations

from typing import Any, Final

from millstream.sandbox import payload
from millstream.sandbox.errors import Refused
from millstream.sandbox.portal import Portal
from millstream.sandbox.routing import Call, Reply, Route, family, route

_STANDARD: Final = {
    "deals": (
        "Sales Pipeline",
        (
            ("appointmentscheduled", "Appointment Scheduled", "0.2"),
            ("qualifiedtobuy", "Qualified To Buy", "0.4"),
            ("presentationscheduled", "Presentation Scheduled", "0.6"),
            ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
            ("contractsent", "Contract Sent", "0.9"),
            ("closedwon", "Closed Won", "1.0"),
            ("closedlost", "Closed Lost", "0.0"),
        ),
    ),
    "tickets": (
        "Support Pipeline",
        (("1", "New", ""), ("2", "Waiting on contact", ""), ("3", "Waiting on us", ""), ("4", "Closed", "")),
    ),
}


def _pipelines(portal: Portal, object_type: str) -> dict[str, dict[str, Any]]:
    records = portal.type(object_type)
    if records.type not in portal.pipelines:
        portal.pipelines[records.type] = {}
        if records.type in _STANDARD:
            label, stages = _STANDARD[records.type]
            made = _made(
                portal, {"label": label, "displayOrder": 0}, "default" if records.type == "deals" else "0"
            )
            made["stages"] = [
                _stage(
                    portal,
                    {
                        "label": name,
                        "displayOrder": i,
                        "metadata": {"probability": odds, "isClosed": str(odds in {"1.0", "0.0"}).lower()}
                        if odds
                        else {"ticketState": "CLOSED" if name == "Closed" else "OPEN"},
                    },
                    stage_id,
                )
                for i, (stage_id, name, odds) in enumerate(stages)
            ]
            portal.pipelines[records.type][made["id"]] = made
    return portal.pipelines[records.type]


def stages_of(portal: Portal, object_type: str) -> dict[str, list[str]]:
    """The stages of each pipeline of a type that has some."""
    if object_type not in _STANDARD and object_type not in portal.pipelines:
        return {}
    return {i: [s["id"] for s in found["stages"]] for i, found in _pipelines(portal, object_type).items()}


def _made(portal: Portal, body: dict[str, Any], pipeline_id: str | None = None) -> dict[str, Any]:
    label = payload.text(body, "label")
    if not label:
        raise payload.unset(body, "label")
    now = portal.stamp()
    return {
        "id": pipeline_id or (payload.text(body, "pipelineId") or str(portal.number("pipeline"))),
        "label": label,
        "displayOrder": payload.number(body, "displayOrder"),
        "stages": [_stage(portal, s) for s in payload.mappings(body, "stages")],
        "createdAt": now,
        "updatedAt": now,
        "archived": False,
    }


def _stage(portal: Portal, body: dict[str, Any], stage_id: str | None = None) -> dict[str, Any]:
    label = payload.text(body, "label")
    if not label:
        raise payload.unset(body, "label")
    now = portal.stamp()
    return {
        "id": stage_id or (payload.text(body, "stageId") or str(portal.number("pipeline"))),
        "label": label,
        "displayOrder": payload.number(body, "displayOrder"),
        "metadata": _metadata(body),
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        "createdAt": now,
        "updatedAt": now,
        "archived": False,
    }


def _metadata(body: dict[str, Any]) -> dict[str, str]:
    given = payload.mapping(body, "metadata")
    return {name: payload.text(given, name) for name in given}


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if payload.text(body, "label"):
        found["label"] = payload.text(body, "label")
    if "displayOrder" in body:
        found["displayOrder"] = payload.number(body, "displayOrder")
    if "archived" in body:
        found["archived"] = payload.text(body, "archived") == "true"
    return found


def _pipeline(portal: Portal, call: Call) -> dict[str, Any]:
    found = _pipelines(portal, call["objectType"]).get(call["pipelineId"])
    if found is None:
        raise Refused(404, f"Pipeline with ID {call['pipelineId']} does not exist", "OBJECT_NOT_FOUND")
    return found


def _stage_of(portal: Portal, call: Call) -> dict[str, Any]:
    for stage in _pipeline(portal, call)["stages"]:
        if stage["id"] == call["stageId"]:
            return dict(stage) if call.method == "GET" else stage
    raise Refused(404, f"Stage with ID {call['stageId']} does not exist", "OBJECT_NOT_FOUND")


def every(portal: Portal, call: Call) -> Reply:
    """`GET /pipelines/{objectType}`."""
    return 200, {"results": list(_pipelines(portal, call["objectType"]).values())}


def create(portal: Portal, call: Call) -> Reply:
    """`POST /pipelines/{objectType}`."""
    made = _made(portal, call.object)
    _pipelines(portal, call["objectType"])[made["id"]] = made
    return 201, made


def get(portal: Portal, call: Call) -> Reply:
    """`GET /pipelines/{objectType}/{pipelineId}`."""
    return 200, _pipeline(portal, call)


def change(portal: Portal, call: Call) -> Reply:
    """`PATCH` changes what is given; `PUT` replaces label, order and stages."""
    found = _pipeline(portal, call)
    if call.method == "PUT":
        found.update({k: v for k, v in _made(portal, call.object, found["id"]).items() if k != "createdAt"})
    else:
        found.update(_changes(call.object))
    found["updatedAt"] = portal.stamp()
    return 200, found


def delete(portal: Portal, call: Call) -> Reply:
    """`DELETE /pipelines/{objectType}/{pipelineId}`."""
    _pipeline(portal, call)
    del _pipelines(portal, call["objectType"])[call["pipelineId"]]
    return 204, None


def stages(portal: Portal, call: Call) -> Reply:
    """`GET …/stages`."""
    return 200, {"results": _pipeline(portal, call)["stages"]}


def create_stage(portal: Portal, call: Call) -> Reply:
    """`POST …/stages`."""
    made = _stage(portal, call.object)
    _pipeline(portal, call)["stages"].append(made)
    return 201, made


def get_stage(portal: Portal, call: Call) -> Reply:
    """`GET …/stages/{stageId}`."""
    return 200, _stage_of(portal, call)


def change_stage(portal: Portal, call: Call) -> Reply:
    """`PATCH` and `PUT …/stages/{stageId}`."""
    found = _stage_of(portal, call)
    found.update(_changes(call.object))
    if "metadata" in call.object:
        found["metadata"] = _metadata(call.object)
    found["updatedAt"] = portal.stamp()
    return 200, found


def delete_stage(portal: Portal, call: Call) -> Reply:
    """`DELETE …/stages/{stageId}`."""
    found = _stage_of(portal, call)
    _pipeline(portal, call)["stages"].remove(found)
    return 204, None


_PIPELINES: Final = ("/crm/v3/pipelines", "/crm/pipelines/{}")
_ONE: Final = family(*_PIPELINES, "/{objectType}/{pipelineId}")
_STAGE: Final = family(*_PIPELINES, "/{objectType}/{pipelineId}/stages/{stageId}")
ROUTES: Final[list[Route]] = [
    *route("GET", family(*_PIPELINES, "/{objectType}"), every),
    *route("POST", family(*_PIPELINES, "/{objectType}"), create),
    *route("GET", _ONE, get),
    *route("PUT", _ONE, change),
    *route("PATCH", _ONE, change),
    *route("DELETE", _ONE, delete),
    *route("GET", family(*_PIPELINES, "/{objectType}/{pipelineId}/stages"), stages),
    *route("POST", family(*_PIPELINES, "/{objectType}/{pipelineId}/stages"), create_stage),
    *route("GET", _STAGE, get_stage),
    *route("PUT", _STAGE, change_stage),
    *route("PATCH", _STAGE, change_stage),
    *route("DELETE", _STAGE, delete_stage),
]
