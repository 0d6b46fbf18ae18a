"""Fields of Segment's HubSpot actions → fields of ours: one function for each action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from millstream.mapping.compile import ROOT_DIRECTIVE
from millstream.workspace.importers.report import Fields, shown

_SYNC_MODE: Final = "__segment_internal_sync_mode"
_MATCHING_KEY: Final = "__segment_internal_matching_key"
_BATCHING: Final = ("enable_batching", "batch_size", "batch_keys", "batch_bytes")
_HIDDEN: Final = ("timestamp", "computation_class")
_ADDRESS: Final = ("phone", "address", "city", "state", "zip")
_CONTACT: Final = ("company", "firstname", "lastname", *_ADDRESS, "country", "website", "lifecyclestage")
_COMPANY: Final = (
    "name", "description", *_ADDRESS, "domain", "numberofemployees", "industry", "lifecyclestage",
)  # fmt: skip
_EVENT: Final = ("email", "utk", "occurred_at")
# Segment's actions leave a null out where Classic clears the property.
_NULLS: Final = {"null_clears": False}


@dataclass(slots=True)
class SegmentFields(Fields):
    """The fields of one subscription, and what Segment keeps beside them."""

    sync: str = "update"
    apply: Any = None

    def __post_init__(self) -> None:
        self.given = {k: v for k, v in self.given.items() if v is not None}
        self.sync = str(self.given.pop(_SYNC_MODE, self.sync))
        key = self.given.pop(_MATCHING_KEY, None)
        if key is not None:
            self.warn(_MATCHING_KEY, f"not taken over: {shown(key)}")
        root = self.given.pop(ROOT_DIRECTIVE, None)
        transform = root.get("@transform") if isinstance(root, dict) and len(root) == 1 else None
        if isinstance(transform, dict) and set(transform) == {"apply"}:
            self.apply = transform["apply"]
        elif root is not None:
            self.break_off(ROOT_DIRECTIVE, f"only a @transform with `apply` has a counterpart: {shown(root)}")
        batching = [name for name in _BATCHING if self.given.pop(name, None) is not None]
        if batching:
            self.report.info(self.where, f"{', '.join(batching)}: batches are made without asking")

    def properties(self, *named: str) -> dict[str, Any]:
        """`properties` and the fields that are properties of their own; `properties` wins, as at Segment."""
        own = self.renamed(**{name: name for name in named})
        given = self.given.pop("properties", {})
        if not isinstance(given, dict):
            self.break_off("properties", f"must be an object, not {shown(given)}")
            return own
        if own and (own.keys() & given.keys() or any(k.startswith("@") for k in given)):
            return {"@merge": {"objects": [own, given], "direction": "right"}}
        return own | given

    def rooted(self, made: dict[str, Any]) -> dict[str, Any]:
        """The fields under the subscription's root @transform, which ours carry one by one."""
        if self.apply is None:
            return made
        return {
            k: {"@transform": {"apply": self.apply, "mapping": v}} if isinstance(v, dict) else v
            for k, v in made.items()
        }


Made = list[tuple[str, dict[str, Any]]]


def _contact(fields: SegmentFields) -> Made:
    made = fields.renamed(email="email") | {"properties": fields.properties(*_CONTACT)} | _NULLS
    return [("upsert_contact", _unmapped("email") | made)]


def _company(fields: SegmentFields) -> Made:
    group = fields.renamed(group_id="groupid")
    more = fields.renamed(search="companysearchfields", create="createNewCompany")
    associate = fields.given.pop("associateContact", True)
    if not isinstance(associate, bool):
        fields.warn("associateContact", f"the contact is always associated, not {shown(associate)}")
    made = group | more | {"properties": fields.properties(*_COMPANY)} | _NULLS
    found: Made = [("upsert_company", made)]
    return [*found, ("associate", dict(group))] if associate else found


def _behavioral_event(fields: SegmentFields) -> Made:
    made = fields.renamed(
        name="eventName", email="email", occurred_at="occurredAt", utk="utk", object_id="objectId"
    )
    made = _unmapped(*_EVENT) | _named(fields, made, "eventName") | {"mode": "none"}
    return [("custom_event", made)]


def _custom_event(fields: SegmentFields) -> Made:
    made = fields.renamed(name="event_name", occurred_at="occurred_at")
    details = _details(fields, "record_details")
    for ours, theirs in (
        ("object_type", "object_type"),
        ("object_id", "object_id"),
        ("email", "email"),
        ("utk", "utk"),
    ):
        if details.get(theirs) is not None:
            made[ours] = details.pop(theirs)
    for name, value in details.items():
        fields.warn(f"record_details.{name}", f"no field of ours does this; not taken over: {shown(value)}")
    if fields.sync not in {"upsert", "add", "update"}:
        fields.break_off(_SYNC_MODE, f"definitions are made or extended, never `{fields.sync}`")
    made = _unmapped(*_EVENT) | _named(fields, made, "event_name") | {"mode": fields.sync}
    return [("custom_event", made)]


def _unmapped(*names: str) -> dict[str, Any]:
    """Fields that Segment leaves empty when they are not mapped: a null switches our default off."""
    return dict.fromkeys(names)


def _named(fields: SegmentFields, made: dict[str, Any], key: str) -> dict[str, Any]:
    """An event with its properties; without a name Segment sent nothing."""
    if "name" not in made:
        fields.break_off(key, "the event has no name")
    return made | {"properties": fields.properties()}


def _object(fields: SegmentFields) -> Made:
    details = _details(fields, "object_details")
    made = _record(details)
    details.pop("property_group", None)  # ours are made in a group of their own
    for name, value in details.items():
        fields.warn(f"object_details.{name}", f"no field of ours does this; not taken over: {shown(value)}")
    made |= fields.renamed(properties="properties", sensitive_properties="sensitive_properties")
    read = fields.given.pop("association_sync_mode", "upsert")
    made["association_mode"] = read if read in {"upsert", "read"} else "upsert"
    for name in ("associations", "dissociations"):
        related = fields.given.pop(name, None)
        if related is not None:
            made[name] = _related(related)
    listed = _membership(fields, made)
    fields.renamed(**{name: name for name in _HIDDEN})
    return [("upsert_object", _synced(fields, made) | _NULLS), *listed]


def _membership(fields: SegmentFields, record: dict[str, Any]) -> Made:
    """The list that an object joins or leaves: a mapping of its own here."""
    given = fields.renamed(computation_key="computation_key", traits_or_props="traits_or_props")
    details = _details(fields, "list_details")
    audience = details.pop("connected_to_engage_audience", False)  # ours looks at what the event says
    if audience is False and "list_name" not in details:
        for name, value in details.items():
            fields.warn(f"list_details.{name}", f"no list is named; not taken over: {shown(value)}")
        return []
    made: dict[str, Any] = {k: record[k] for k in ("object_type", "id_field", "id_value") if k in record}
    for ours, theirs in (
        ("list_name", "list_name"),
        ("member", "list_action"),
        ("create", "should_create_list"),
    ):
        if details.get(theirs) is not None:
            made[ours] = details.pop(theirs)
    for name, value in details.items():
        fields.warn(f"list_details.{name}", f"no field of ours does this; not taken over: {shown(value)}")
    return [("list_membership", made | given)]


def _object_record(fields: SegmentFields) -> Made:
    made = fields.renamed(object_type="objectType") | _found_by(fields, "customObjectSearchFields")
    made["properties"] = fields.properties()
    create = fields.given.pop("createNewCustomRecord", True)
    if not isinstance(create, bool):
        fields.warn("createNewCustomRecord", f"missing records are always made, not {shown(create)}")
    made["mode"] = "update" if create is False else "upsert"
    to = fields.renamed(object_type="toObjectType", label="associationLabel")
    if to:
        made["associations"] = [to | _found_by(fields, "searchFieldsToAssociateCustomObjects")]
        made["association_mode"] = "read"
    return [("upsert_object", made | _NULLS)]


def _found_by(fields: SegmentFields, name: str) -> dict[str, Any]:
    """The one property that finds a record; Segment searches for any of several."""
    given = fields.given.pop(name, {})
    if not isinstance(given, dict) or len(given) != 1 or next(iter(given)).startswith("@"):
        fields.break_off(name, f"a record is found by exactly one property, not by {shown(given)}")
        return {}
    ((found, value),) = given.items()
    return {"id_field": found, "id_value": value}


def _details(fields: SegmentFields, name: str) -> dict[str, Any]:
    """A field that holds others."""
    given = fields.given.pop(name, {})
    if not isinstance(given, dict) or any(k.startswith("@") for k in given):
        fields.break_off(name, f"must be an object of fields, not {shown(given)}")
        return {}
    return {k: v for k, v in given.items() if v is not None}


_NAMES: Final = {
    "object_type": "object_type",
    "id_field_name": "id_field",
    "id_field_value": "id_value",
    "association_label": "label",
}


def _record(details: dict[str, Any]) -> dict[str, Any]:
    """What names a record, in our words; what is taken is gone from `details`."""
    return {ours: details.pop(theirs) for theirs, ours in _NAMES.items() if theirs in details}


def _related(given: Any) -> Any:
    """Associations in our words, inside whatever directive gives them."""
    if isinstance(given, list):
        return [_related(item) for item in given]
    if isinstance(given, dict):
        return {_NAMES.get(key, key): _related(value) for key, value in given.items()}
    return given


def _synced(fields: SegmentFields, made: dict[str, Any]) -> dict[str, Any]:
    """An object's fields with Segment's sync mode."""
    if fields.sync not in {"upsert", "add", "update"}:
        fields.break_off(_SYNC_MODE, f"records are made or updated here, never `{fields.sync}`")
        return made
    return made | {"mode": fields.sync}


def _in_the_page(action: str, *names: str) -> Converter:
    """An action of HubSpot Web: our fields have its names."""

    def convert(fields: SegmentFields) -> Made:
        return [(action, _unmapped(*names) | fields.renamed(**{name: name for name in names}))]

    return convert


Converter = Callable[[SegmentFields], Made]
WEB_CONVERTERS: Final[dict[str, Converter]] = {
    "upsertContact": _in_the_page(
        "web.upsert_contact",
        *("email", "id", "custom_properties", "company", "country", "state", "city", "address", "zip"),
    ),
    "trackCustomBehavioralEvent": _in_the_page("web.track_custom_behavioral_event", "name", "properties"),
    "trackPageView": _in_the_page("web.track_page_view", "path"),
}
CONVERTERS: Final[dict[str, Converter]] = {
    "upsertContact": _contact,
    "upsertCompany": _company,
    "sendCustomBehavioralEvent": _behavioral_event,
    "customEvent": _custom_event,
    "upsertObject": _object,
    "upsertCustomObjectRecord": _object_record,
}
