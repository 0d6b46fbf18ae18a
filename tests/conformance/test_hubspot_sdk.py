"""HubSpot's hubspot-sdk (the 2026-03 paths), unmodified and strict: every answer must fit the client's own models."""

from __future__ import annotations

from typing import Any

import hubspot_sdk
import pytest

from millstream.sandbox.portal import TYPE_IDS

TYPES = sorted(TYPE_IDS)
KNOWN = {"contacts": "email", "companies": "domain", "deals": "dealname", "tickets": "subject"}


def values(object_type: str, name: str) -> dict[str, str]:
    """Properties of a record of a type that tell it from others."""
    field = KNOWN.get(object_type, "hs_name")
    return {field: f"{name}@sdk.example" if field == "email" else f"{name}.example"}


def contact(sdk: Any, name: str) -> str:
    """A new contact's id."""
    made = sdk.crm.objects.contacts.create(associations=[], properties={"email": f"{name}@sdk.example"})
    return str(made.id)


def company(sdk: Any, name: str) -> str:
    """A new company's id."""
    made = sdk.crm.objects.companies.create(associations=[], properties={"domain": f"{name}.example"})
    return str(made.id)


@pytest.mark.parametrize("kind", TYPES)
def test_records_of_every_type(sdk: Any, kind: str) -> None:
    """Records of every standard type are created, read, updated, listed, found and archived."""
    objects = sdk.crm.objects.generic_objects
    made = objects.create(kind, associations=[], properties=values(kind, "one"))
    (field, value), *_ = values(kind, "one").items()
    assert made.properties[field] == value
    assert not made.archived
    assert objects.get(made.id, object_type=kind, properties=[field]).properties[field] == value
    changed = objects.update(made.id, object_type=kind, properties=values(kind, "two"))
    assert changed.id == made.id
    assert changed.updated_at >= made.created_at
    assert [r.id for r in objects.list(kind).results] == [made.id]
    equal = {"propertyName": field, "operator": "EQ", "value": values(kind, "two")[field]}
    found = objects.search(
        kind, after="0", filter_groups=[{"filters": [equal]}], limit=5, properties=[field], sorts=[field]
    )
    assert (found.total, [r.id for r in found.results]) == (1, [made.id])
    objects.delete(made.id, object_type=kind)
    assert objects.list(kind).results == []
    assert objects.get(made.id, object_type=kind, archived=True).archived
    with pytest.raises(hubspot_sdk.NotFoundError):
        objects.get(made.id, object_type=kind)


@pytest.mark.parametrize("kind", TYPES)
def test_batches_of_every_type(sdk: Any, kind: str) -> None:
    """Records of every standard type are created, read, updated, upserted and archived in batches."""
    sdk.crm.properties.create(
        kind, field_type="text", group_name="g", label="Key", name="key", type="string", has_unique_value=True
    )
    batch = sdk.crm.objects.generic_objects.batch
    made = batch.create(
        kind,
        inputs=[
            {"associations": [], "properties": values(kind, f"n{i}") | {"key": f"k{i}"}} for i in range(2)
        ],
    )
    assert made.status == "COMPLETE"
    ids = {r.properties["key"]: r.id for r in made.results}
    assert set(ids) == {"k0", "k1"}
    read = batch.get(
        kind, inputs=[{"id": "k1"}], properties=["key"], properties_with_history=[], id_property="key"
    )
    assert [r.id for r in read.results] == [ids["k1"]]
    changed = batch.update(kind, inputs=[{"id": ids["k0"], "properties": {"key": "k9"}}])
    assert changed.results[0].properties["key"] == "k9"
    put = batch.upsert(
        kind,
        inputs=[
            {"id": "k9", "idProperty": "key", "properties": values(kind, "n7"), "objectWriteTraceId": "a"},
            {"id": "k5", "idProperty": "key", "properties": values(kind, "n5"), "objectWriteTraceId": "b"},
        ],
    )
    assert {r.object_write_trace_id: r.new for r in put.results} == {"a": False, "b": True}
    batch.delete(kind, inputs=[{"id": i} for i in ids.values()])
    assert [r.properties["key"] for r in sdk.crm.objects.generic_objects.list(kind, properties=["key"])] == [
        "k5"
    ]


def test_partial_batches(sdk: Any) -> None:
    """A row that is bad is an error beside the rows that were written, by trace id."""
    contact(sdk, "taken")
    rows = [("taken@sdk.example", "a"), ("free@sdk.example", "b")]
    made = sdk.crm.objects.contacts.batch.create(
        inputs=[{"associations": [], "properties": {"email": e}, "objectWriteTraceId": t} for e, t in rows]
    )
    assert [r.properties["email"] for r in made.results] == ["free@sdk.example"]
    error = made.model_extra["errors"][0]  # the client has no name for it
    assert (error["category"], error["context"]["objectWriteTraceId"]) == ("CONFLICT", ["a"])


def test_refusals(sdk: Any, recorder: Any) -> None:
    """The client raises the error of its own for a bad value, a taken address and an unknown token."""
    contact(sdk, "ada")
    with pytest.raises(hubspot_sdk.BadRequestError) as bad:
        sdk.crm.objects.contacts.create(associations=[], properties={"no_such": "x"})
    assert bad.value.body["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    with pytest.raises(hubspot_sdk.ConflictError):
        contact(sdk, "ada")
    other = hubspot_sdk.HubSpot(access_token="wrong", base_url=recorder.url, max_retries=0)
    with other, pytest.raises(hubspot_sdk.AuthenticationError):
        other.crm.owners.list()


def test_paging(sdk: Any) -> None:
    """The client's own iteration goes through all pages of records."""
    made = [contact(sdk, f"c{i}") for i in range(7)]
    pages = sdk.crm.objects.contacts.list(limit=3)
    assert [r.id for r in pages] == made
    assert pages.has_next_page()


def test_merge_and_purge(sdk: Any) -> None:
    """Merged contacts answer under both ids; a purged one is gone."""
    first, second = contact(sdk, "first"), contact(sdk, "second")
    merged = sdk.crm.objects.contacts.merge(object_id_to_merge=second, primary_object_id=first)
    assert merged.id == sdk.crm.objects.contacts.get(second).id == first
    sdk.crm.objects.contacts.gdpr_delete(object_id="first@sdk.example", id_property="email")
    with pytest.raises(hubspot_sdk.NotFoundError):
        sdk.crm.objects.contacts.get(first)


def test_properties(sdk: Any) -> None:
    """Properties are created, read, changed and archived, alone and in batches."""
    api = sdk.crm.properties
    made = api.create(
        "contacts",
        field_type="text",
        group_name="contactinformation",
        label="Plan",
        name="plan",
        type="string",
    )
    assert (made.name, made.type, made.has_unique_value) == ("plan", "string", False)
    assert api.get("plan", object_type="contacts").label == "Plan"
    assert api.update("plan", object_type="contacts", label="Tariff").label == "Tariff"
    assert "plan" in [p.name for p in api.list("contacts").results]
    row = {"fieldType": "number", "groupName": "contactinformation", "label": "Seats", "type": "number"}
    batch = api.batch.create("contacts", inputs=[{**row, "name": "seats"}, {**row, "name": "plan"}])
    assert [p.name for p in batch.results] == ["seats"]
    assert batch.model_extra["errors"][0]["category"] == "OBJECT_ALREADY_EXISTS"
    read = api.batch.get(
        "contacts", archived=False, data_sensitivity="non_sensitive", inputs=[{"name": "seats"}]
    )
    assert read.results[0].type == "number"
    api.batch.delete("contacts", inputs=[{"name": "seats"}])
    api.delete("plan", object_type="contacts")
    assert {"plan", "seats"} <= {p.name for p in api.list("contacts", archived=True).results}
    with pytest.raises(hubspot_sdk.NotFoundError):
        api.get("plan", object_type="contacts")


def test_property_groups(sdk: Any) -> None:
    """Groups of properties are created, read, changed and removed."""
    groups = sdk.crm.properties.groups
    assert groups.create("contacts", label="Billing", name="billing").name == "billing"
    assert groups.get("billing", object_type="contacts").label == "Billing"
    assert groups.update("billing", object_type="contacts", label="Money").label == "Money"
    assert "billing" in [g.name for g in groups.list("contacts").results]
    groups.delete("billing", object_type="contacts")
    assert "billing" not in [g.name for g in groups.list("contacts").results]


def test_custom_types(sdk: Any) -> None:
    """A custom type is defined, associated, used, changed and removed."""
    api = sdk.crm.object_schemas
    made = api.create(
        allows_sensitive_properties=False,
        associated_objects=["CONTACT"],
        labels={"singular": "Car", "plural": "Cars"},
        name="car",
        properties=[{"fieldType": "text", "label": "Name", "name": "car_name", "type": "string"}],
        required_properties=["car_name"],
        searchable_properties=["car_name"],
        secondary_display_properties=[],
        primary_display_property="car_name",
    )
    assert made.fully_qualified_name == "p20001_car"
    assert made.associations[0].to_object_type_id == "0-1"
    assert api.get("car").object_type_id == made.object_type_id
    assert [s.name for s in api.list().results] == ["car"]
    changed = api.update("car", clear_description=False, labels={"singular": "Auto", "plural": "Autos"})
    assert changed.labels.plural == "Autos"
    link = api.create_association(
        "car", from_object_type_id=made.object_type_id, to_object_type_id="0-2", name="car_to_company"
    )
    assert link.name == "car_to_company"
    api.delete_association(link.id, object_type="car")
    assert [a.to_object_type_id for a in api.get("car").associations] == ["0-1"]
    one = sdk.crm.objects.custom.create(
        made.object_type_id, associations=[], properties={"car_name": "Beetle"}
    )
    assert one.properties["car_name"] == "Beetle"
    sdk.crm.objects.custom.delete(one.id, object_type=made.object_type_id)
    api.delete("car")
    assert api.list().results == []


def test_single_associations(sdk: Any) -> None:
    """Two records are associated by default and with labels, listed, and separated."""
    api, one, firm = sdk.crm.associations, contact(sdk, "ada"), company(sdk, "acme")
    pair = {"object_type": "contacts", "object_id": one, "to_object_type": "companies"}
    made = api.create(firm, from_object_type="contacts", from_object_id=one, to_object_type="companies")
    assert made.results[0].association_spec.association_type_id == 279
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    assert api.update_labels(firm, **pair, body=primary).labels == ["Primary"]
    listed = api.list("companies", object_type="contacts", object_id=one).results
    assert [r.to_object_id for r in listed] == [firm]
    assert {t.type_id for t in listed[0].association_types} == {1, 279}
    api.delete(firm, **pair)
    assert api.list("companies", object_type="contacts", object_id=one).results == []


def test_association_batches(sdk: Any) -> None:
    """Pairs are associated, read, stripped of labels and separated in batches."""
    batch, one, firm = sdk.crm.associations.batch, contact(sdk, "ada"), company(sdk, "acme")
    types = {"from_object_type": "contacts"}
    ends = {"from": {"id": one}, "to": {"id": firm}}
    primary = {"types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]}
    plain = batch.create_default("companies", **types, inputs=[ends])
    assert plain.results[0].to.id == firm
    made = batch.create("companies", **types, inputs=[{**ends, **primary}])
    assert (made.results[0].from_object_id, made.results[0].labels) == (one, ["Primary"])
    read = batch.get("companies", **types, inputs=[{"id": one}])
    assert [t.to_object_id for t in read.results[0].to] == [firm]
    batch.delete_labels("companies", **types, inputs=[{**ends, **primary}])
    left = batch.get("companies", **types, inputs=[{"id": one}]).results[0].to[0].association_types
    assert [t.type_id for t in left] == [279]
    batch.delete("companies", **types, inputs=[{"from": {"id": one}, "to": [{"id": firm}]}])
    none = batch.get("companies", **types, inputs=[{"id": one}])
    assert none.results == []
    assert none.model_extra["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_labels(sdk: Any) -> None:
    """Labels of associations are created, listed, renamed and removed."""
    api, types = sdk.crm.associations_schema.labels, {"from_object_type": "contacts"}
    made = api.create_label("companies", **types, label="Advisor", name="advisor")
    number = made.results[0].type_id
    assert made.results[0].category == "USER_DEFINED"
    api.update_label("companies", **types, association_type_id=number, label="Board")
    assert {r.type_id: r.label for r in api.list_labels("companies", **types).results}[number] == "Board"
    api.delete_label(number, **types, to_object_type="companies")
    assert number not in [r.type_id for r in api.list_labels("companies", **types).results]


def test_lists(sdk: Any) -> None:
    """A list is created, found in every way, renamed, removed and restored."""
    api = sdk.crm.lists
    made = api.create(name="Friends", object_type_id="0-1", processing_type="MANUAL").list
    assert (made.name, made.processing_type) == ("Friends", "MANUAL")
    assert api.get(made.list_id).list.list_id == made.list_id
    assert [x.list_id for x in api.list(list_ids=[made.list_id]).lists] == [made.list_id]
    named = api.get_by_object_type_and_name("Friends", object_type_id="0-1")
    assert named.list.list_id == made.list_id
    found = api.list_by_search(list_ids=[], offset=0, processing_types=["MANUAL"], query="friend")
    assert (found.total, found.lists[0].name) == (1, "Friends")
    assert api.update_list_name(made.list_id, list_name="Best friends").updated_list.name == "Best friends"
    mapped = api.get_id_mapping(legacy_list_id=made.list_id)
    assert mapped.list_id == made.list_id
    many = api.create_id_mapping(body=[made.list_id, "777"])
    assert many.missing_legacy_list_ids == ["777"]
    api.delete(made.list_id)
    with pytest.raises(hubspot_sdk.NotFoundError):
        api.get(made.list_id)
    api.restore(made.list_id)
    assert api.get(made.list_id).list.name == "Best friends"


def test_memberships(sdk: Any) -> None:
    """Records join and leave a list, one list feeds another, and memberships read from both sides."""
    api, one, two = sdk.crm.lists, contact(sdk, "ada"), contact(sdk, "grace")
    first, second = (
        api.create(name=n, object_type_id="0-1", processing_type="MANUAL").list.list_id for n in "AB"
    )
    assert api.add_memberships(first, body=[one, "999"]).record_ids_missing == ["999"]
    changed = api.add_and_remove_memberships(first, record_ids_to_add=[two], record_ids_to_remove=[one])
    assert changed.record_ids_removed == [one]
    api.add_memberships_from(first, list_id=second)
    assert [m.record_id for m in api.list_memberships(second)] == [two]
    mine = api.get_record_memberships(two, object_type_id="0-1")
    assert {m.list_id for m in mine.results} == {first, second}
    both = api.batch_read_memberships(inputs=[{"objectTypeId": "0-1", "recordId": two}])
    assert {m.list_id for m in both.results[0].record_list_memberships} == {first, second}
    assert api.remove_memberships(first, body=[two]).record_ids_removed == [two]
    api.delete_memberships(second)
    assert api.list_memberships(second).results == []


def test_owners(sdk: Any) -> None:
    """Owners are listed, found by address and read by id."""
    found = sdk.crm.owners.list(email="ada.lovelace@portal.example").results
    assert [o.first_name for o in found] == ["Ada"]
    assert sdk.crm.owners.get(int(found[0].id)).email == found[0].email


def test_pipelines(sdk: Any) -> None:
    """Pipelines and stages are created, read, changed, replaced and removed."""
    api = sdk.crm.pipelines
    assert api.list("deals").results[0].stages[-1].label == "Closed Lost"
    stage = {"label": "Open", "displayOrder": 0, "metadata": {"probability": "0.5"}}
    made = api.create("deals", display_order=1, label="Partners", stages=[stage])
    assert api.get(made.id, object_type="deals").stages[0].label == "Open"
    assert api.update(made.id, object_type="deals", label="Resellers").label == "Resellers"
    put = api.update_all_properties(
        made.id,
        object_type="deals",
        display_order=2,
        label="Shops",
        stages=[stage, {**stage, "label": "Won"}],
    )
    assert [s.label for s in put.stages] == ["Open", "Won"]
    here = {"object_type": "deals", "pipeline_id": made.id}
    new = api.create_stage(**here, display_order=3, label="Lost", metadata={"probability": "0.0"})
    assert api.get_stage(new.id, **here).metadata["probability"] == "0.0"
    assert api.update_stage(new.id, **here, metadata={"probability": "0.1"}).metadata == {
        "probability": "0.1"
    }
    full = {"display_order": 4, "label": "Gone", "metadata": {"probability": "0.0"}}
    assert api.update_stage_all_properties(new.id, **here, **full).label == "Gone"
    api.delete_stage(new.id, **here)
    assert [s.label for s in api.list_stages(made.id, object_type="deals").results] == ["Open", "Won"]
    api.delete(made.id, object_type="deals")
    assert made.id not in [p.id for p in api.list("deals").results]


def test_event_definitions(sdk: Any) -> None:
    """An event and its properties are defined, read, changed and removed."""
    api = sdk.events.definitions
    made = api.create(
        include_default_properties=True,
        label="Song played",
        property_definitions=[{"label": "Title", "name": "title", "type": "string"}],
    )
    assert made.fully_qualified_name == "pe20001_song_played"
    assert api.get(made.name).label == "Song played"
    assert [d.name for d in api.list(search_string="song").results] == ["song_played"]
    assert api.update(made.name, description="A song").description == "A song"
    added = api.create_property(made.name, label="Seconds", name="seconds", type="number")
    assert (added.name, added.type) == ("seconds", "number")
    assert api.update_property("seconds", event_name=made.name, label="Length").label == "Length"
    api.delete_property("seconds", event_name=made.name)
    assert "seconds" not in [p.name for p in api.get(made.name).properties]
    api.delete(made.name)
    with pytest.raises(hubspot_sdk.NotFoundError):
        api.get(made.name)


def test_event_occurrences(sdk: Any) -> None:
    """Events that were sent alone and in batches are read back, once for each uuid."""
    person = contact(sdk, "ada")
    name = sdk.events.definitions.create(
        include_default_properties=True, label="Played", property_definitions=[]
    ).fully_qualified_name
    sdk.events.send.send(event_name=name, properties={"hs_city": "Rome"}, object_id=person, uuid="one")
    again = {"eventName": name, "properties": {}, "objectId": person}
    sdk.events.send.batch_send(inputs=[{**again, "uuid": "one"}, {**again, "uuid": "two"}])
    sdk.events.definitions.send_batch(inputs=[{**again, "uuid": "two"}])
    found = sdk.events.occurrences.list(object_type="contact", object_id=int(person), event_type=name)
    assert len(found.results) == 2
    assert {e.object_id for e in found.results} == {person}
    assert {e.properties.get("hs_city") for e in found.results} == {"Rome", None}
    assert name in sdk.events.occurrences.list_event_types().event_types


def test_oauth(sdk: Any, recorder: Any) -> None:
    """A refresh token gives access tokens, which are described and revoked."""
    config = recorder.sandbox.hubspot.config
    recorder.sandbox.portal.refresh_tokens["refresh"] = {"scopes": ["oauth"]}
    app = {"client_id": config.client_id, "client_secret": config.client_secret}
    made = sdk.auth.oauth.create_token(**app, grant_type="refresh_token", refresh_token="refresh")
    assert (made.expires_in, made.token_type) == (1800, "bearer")
    told = sdk.auth.oauth.introspect_token(**app, token=made.access_token)
    assert (told.hub_id, told.scopes) == (config.portal_id, ["oauth"])
    other = sdk.auth.oauth.introspect_token(**app, token="refresh")
    assert other.hub_id == config.portal_id
    sdk.auth.oauth.revoke_token(**app, token=made.access_token)
    assert made.access_token not in recorder.sandbox.portal.access_tokens


def test_account(sdk: Any) -> None:
    """The account tells who it is, what it used, and its limits."""
    about = sdk.account.get()
    assert (about.portal_id, about.account_type) == (20001, "DEVELOPER_TEST")
    usage = sdk.account.get_daily_private_apps_usage().results[0]
    assert usage.current_usage >= 1
    contact(sdk, "ada")
    assert sdk.crm.limits.get_custom_property_limits().overall_usage == 0
    rows = sdk.crm.limits.get_record_limits().hubspot_defined_object_types
    assert {r.object_type_id: r.usage for r in rows}["0-1"] == 1


def test_webhooks(sdk: Any) -> None:
    """An app's webhooks are set, subscribed, switched and removed."""
    api = sdk.webhooks
    limits = {"maxConcurrentRequests": 5, "period": "SECONDLY"}
    assert api.update_settings(7, target_url="https://app.example/hook", throttling=limits).throttling
    assert api.get_settings(7).target_url == "https://app.example/hook"
    made = api.create_event_subscription(
        7, active=False, event_type="contact.propertyChange", property_name="email"
    )
    assert (made.event_type, made.property_name, made.active) == ("contact.propertyChange", "email", False)
    number = int(made.id)
    assert api.update_event_subscription(number, app_id=7, active=True).active
    off = api.create_batch_event_subscriptions(7, inputs=[{"id": number, "active": False}])
    assert off.results[0].active is False
    assert api.get_event_subscription(number, app_id=7).active is False
    assert [s.id for s in api.list_event_subscriptions(7).results] == [made.id]
    api.delete_event_subscription(number, app_id=7)
    assert api.list_event_subscriptions(7).results == []
    api.delete_settings(7)
    with pytest.raises(hubspot_sdk.NotFoundError):
        api.get_settings(7)


def test_marketing(sdk: Any) -> None:
    """Marketing emails and campaigns are read, with what they did."""
    mails = sdk.marketing.emails.list()
    assert [m.name for m in mails.results] == ["Welcome", "News of the month"]
    assert sdk.marketing.emails.get().emails == [9001, 9002]
    api = sdk.marketing.campaigns
    campaign = api.list().results[0]
    assert campaign.properties["hs_name"] == "Spring"
    assert api.get(campaign.id).id == campaign.id
    assets = api.assets.list("MARKETING_EMAIL", campaign_guid=campaign.id)
    assert [a.name for a in assets.results] == ["Welcome", "News of the month"]
    assert api.metrics.get_attribution_metrics(campaign.id).sessions == 0


def test_communication_preferences(sdk: Any) -> None:
    """Subscription types are listed; addresses subscribe and leave, alone and in batches."""
    api, one, two = sdk.communication_preferences, "ada@sdk.example", "grace@sdk.example"
    kind = int(api.definitions.list().results[0].id)
    written = api.update_status(one, channel="EMAIL", status_state="SUBSCRIBED", subscription_id=kind)
    assert written.results[0].status == "SUBSCRIBED"
    states = {s.subscription_id: s.status for s in api.get_statuses(one, channel="EMAIL").results}
    assert states[kind] == "SUBSCRIBED"
    assert api.get_unsubscribe_all_status(one, channel="EMAIL").results[0].status == "NOT_SPECIFIED"
    api.unsubscribe_all(one, channel="EMAIL", verbose=True)
    assert api.get_unsubscribe_all_status(one, channel="EMAIL").results[0].status == "UNSUBSCRIBED"
    batch = api.statuses.batch
    row = {"channel": "EMAIL", "statusState": "SUBSCRIBED", "subscriberIdString": two, "subscriptionId": kind}
    assert batch.update_statuses(inputs=[row]).results[0].status == "SUBSCRIBED"
    read = batch.read(channel="EMAIL", inputs=[two]).results[0]
    assert {s.subscription_id: s.status for s in read.statuses}[kind] == "SUBSCRIBED"
    gone = batch.unsubscribe_all(channel="EMAIL", inputs=[two], verbose=True).results[0]
    assert gone.subscriber_id_string == two
    wide = batch.get_unsubscribe_all_statuses(channel="EMAIL", inputs=[two]).results[0]
    assert wide.wide_statuses[0].status == "UNSUBSCRIBED"
