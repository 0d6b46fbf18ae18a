"""HubSpot's hubspot-api-client (v1, v3 and v4), unmodified: requests as its models, answers as its models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hubspot.communication_preferences import PublicUpdateSubscriptionStatusRequest
from hubspot.crm import associations as old_associations
from hubspot.crm import contacts, lists, objects, pipelines, properties, schemas
from hubspot.crm.associations import v4 as associations
from hubspot.crm.associations.v4 import schema as labels
from hubspot.events import send
from hubspot.webhooks import (
    BatchInputSubscriptionBatchUpdateRequest,
    SettingsChangeRequest,
    SubscriptionBatchUpdateRequest,
    SubscriptionCreateRequest,
    SubscriptionPatchRequest,
    ThrottlingSettings,
)

from millstream.sandbox.portal import TYPE_IDS

TYPES = sorted(TYPE_IDS)
KNOWN = {"contacts": "email", "companies": "domain", "deals": "dealname", "tickets": "subject"}
# Types with a package of their own in the client, and how its methods call the record's id.
OWN = ("companies", "deals", "tickets", "products", "line_items", "quotes")
OWN_BELOW = ("calls", "communications", "emails", "feedback_submissions", "leads", "meetings", "notes", "tasks", "taxes")  # fmt: skip


def values(object_type: str, name: str) -> dict[str, str]:
    """Properties of a record of a type that tell it from others."""
    field = KNOWN.get(object_type, "hs_name")
    return {field: f"{name}@client.example" if field == "email" else f"{name}.example"}


def new(legacy: Any, kind: str, name: str) -> str:
    """A new record's id."""
    wanted = objects.SimplePublicObjectInputForCreate(properties=values(kind, name), associations=[])
    return str(legacy.crm.objects.basic_api.create(kind, wanted).id)


@pytest.mark.parametrize("kind", TYPES)
def test_records_of_every_type(legacy: Any, kind: str) -> None:
    """Records of every standard type are created, read, updated, listed, found and archived."""
    api, (field, value) = legacy.crm.objects.basic_api, *values(kind, "one").items()
    wanted = objects.SimplePublicObjectInputForCreate(properties={field: value}, associations=[])
    made = api.create(kind, wanted)
    assert made.properties[field] == value
    assert isinstance(made.created_at, datetime)
    assert api.get_by_id(kind, made.id, properties=[field]).properties[field] == value
    changed = api.update(kind, made.id, objects.SimplePublicObjectInput(properties=values(kind, "two")))
    assert (changed.id, changed.archived) == (made.id, False)
    assert [r.id for r in api.get_page(kind, limit=5).results] == [made.id]
    equal = objects.Filter(property_name=field, operator="EQ", value=values(kind, "two")[field])
    request = objects.PublicObjectSearchRequest(
        filter_groups=[objects.FilterGroup(filters=[equal])],
        properties=[field],
        sorts=[field],
        limit=5,
        after="0",
    )
    found = legacy.crm.objects.search_api.do_search(kind, request)
    assert (found.total, found.results[0].id) == (1, made.id)
    api.archive(kind, made.id)
    assert api.get_page(kind).results == []
    assert api.get_by_id(kind, made.id, archived=True).archived
    with pytest.raises(objects.exceptions.NotFoundException):
        api.get_by_id(kind, made.id)


@pytest.mark.parametrize("kind", TYPES)
def test_batches_of_every_type(legacy: Any, kind: str) -> None:
    """Records of every standard type are created, read, updated, upserted and archived in batches."""
    key = properties.PropertyCreate(
        name="key", label="Key", type="string", field_type="text", group_name="g", has_unique_value=True
    )
    legacy.crm.properties.core_api.create(kind, key)
    api = legacy.crm.objects.batch_api
    rows = [
        objects.SimplePublicObjectBatchInputForCreate(
            properties={**values(kind, f"n{i}"), "key": f"k{i}"}, associations=[]
        )
        for i in range(2)
    ]
    made = api.create(kind, objects.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows))
    assert made.status == "COMPLETE"
    ids = {r.properties["key"]: r.id for r in made.results}
    assert set(ids) == {"k0", "k1"}
    one = objects.BatchReadInputSimplePublicObjectId(
        inputs=[{"id": "k1"}], properties=["key"], properties_with_history=["key"], id_property="key"
    )
    read = api.read(kind, one).results[0]
    assert (read.id, read.properties_with_history["key"][0].value) == (ids["k1"], "k1")
    change = objects.SimplePublicObjectBatchInput(id=ids["k0"], properties={"key": "k9"})
    changed = api.update(kind, objects.BatchInputSimplePublicObjectBatchInput(inputs=[change]))
    assert changed.results[0].properties["key"] == "k9"
    puts = [
        objects.SimplePublicObjectBatchInputUpsert(
            id=k, id_property="key", properties=values(kind, k), object_write_trace_id=k
        )
        for k in ("k9", "k5")
    ]
    put = api.upsert(kind, objects.BatchInputSimplePublicObjectBatchInputUpsert(inputs=puts))
    assert {r.object_write_trace_id: r.new for r in put.results} == {"k9": False, "k5": True}
    gone = objects.BatchInputSimplePublicObjectId(inputs=[{"id": i} for i in ids.values()])
    api.archive(kind, gone)
    left = legacy.crm.objects.basic_api.get_page(kind, properties=["key"])
    assert [r.properties["key"] for r in left.results] == ["k5"]


@pytest.mark.parametrize("kind", [*OWN, *OWN_BELOW])
def test_packages_of_types(legacy: Any, kind: str) -> None:
    """The client's packages of single types reach the same records as its package of all types."""
    made = new(legacy, kind, "one")
    package = getattr(legacy.crm if kind in OWN else legacy.crm.objects, kind)
    assert package.basic_api.get_by_id(made).id == made
    assert [r.id for r in legacy.crm.objects.basic_api.get_page(kind).results] == [
        r.id for r in package.basic_api.get_page().results
    ]


def test_paging(legacy: Any) -> None:
    """The client's own `get_all` goes through all pages of records."""
    made = [new(legacy, "contacts", f"c{i}") for i in range(103)]
    assert [r.id for r in legacy.crm.contacts.get_all()] == made
    first = legacy.crm.contacts.basic_api.get_page(limit=3)
    assert first.paging.next.after == made[2]


def test_partial_batches(legacy: Any) -> None:
    """A row that is bad is an error beside the rows that were written, by trace id; without ids all fails."""
    new(legacy, "contacts", "taken")
    rows = [
        contacts.SimplePublicObjectBatchInputForCreate(
            properties={"email": f"{n}@client.example"}, associations=[], object_write_trace_id=n
        )
        for n in ("taken", "free")
    ]
    batch = legacy.crm.contacts.batch_api
    made = batch.create(contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows))
    assert (made.num_errors, made.errors[0].category) == (1, "CONFLICT")
    assert made.errors[0].context["objectWriteTraceId"] == ["taken"]
    assert [r.properties["email"] for r in made.results] == ["free@client.example"]
    for row in rows:
        row.object_write_trace_id = None
    with pytest.raises(contacts.exceptions.ApiException) as refused:
        batch.create(contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows))
    assert refused.value.status == 409


def test_refusals(legacy: Any, recorder: Any) -> None:
    """The client raises the exception of its own for a bad value and an unknown token."""
    from hubspot import HubSpot

    wanted = contacts.SimplePublicObjectInputForCreate(properties={"no_such": "x"}, associations=[])
    with pytest.raises(contacts.exceptions.ApiException) as bad:
        legacy.crm.contacts.basic_api.create(wanted)
    assert bad.value.status == 400
    assert "PROPERTY_DOESNT_EXIST" in bad.value.body
    with pytest.raises(contacts.exceptions.UnauthorizedException):
        HubSpot(access_token="wrong", host=recorder.url).crm.contacts.basic_api.get_page()


def test_merge_and_purge(legacy: Any) -> None:
    """Merged contacts answer under both ids; a purged one is gone."""
    api, first, second = legacy.crm.contacts.basic_api, *(new(legacy, "contacts", n) for n in ("one", "two"))
    merged = api.merge(contacts.PublicMergeInput(primary_object_id=first, object_id_to_merge=second))
    assert merged.id == api.get_by_id(second).id == first
    api.purge(contacts.PublicGdprDeleteInput(object_id="one@client.example", id_property="email"))
    with pytest.raises(contacts.exceptions.NotFoundException):
        api.get_by_id(first)


def prop(name: str, **more: Any) -> Any:
    """A property to create."""
    given = {
        "label": name.title(),
        "type": "string",
        "field_type": "text",
        "group_name": "contactinformation",
    }
    return properties.PropertyCreate(name=name, **{**given, **more})


def test_properties(legacy: Any) -> None:
    """Properties are created, read, changed and archived, alone and in batches."""
    api, batch = legacy.crm.properties.core_api, legacy.crm.properties.batch_api
    made = api.create("contacts", prop("plan"))
    assert (made.name, made.has_unique_value, made.hubspot_defined) == ("plan", False, False)
    assert api.get_by_name("contacts", "plan").label == "Plan"
    assert api.update("contacts", "plan", properties.PropertyUpdate(label="Tariff")).label == "Tariff"
    assert "plan" in [p.name for p in api.get_all("contacts").results]
    rows = properties.BatchInputPropertyCreate(
        inputs=[prop("seats", type="number", field_type="number"), prop("plan")]
    )
    many = batch.create("contacts", rows)
    assert [p.name for p in many.results] == ["seats"]
    assert many.errors[0].sub_category == "Properties.PROPERTY_WITH_NAME_EXISTS"
    names = [properties.PropertyName(name="seats")]
    read = batch.read(
        "contacts",
        properties.BatchReadInputPropertyName(inputs=names, archived=False),
    )
    assert read.results[0].type == "number"
    batch.archive("contacts", properties.BatchInputPropertyName(inputs=names))
    api.archive("contacts", "plan")
    assert {"plan", "seats"} <= {p.name for p in api.get_all("contacts", archived=True).results}
    with pytest.raises(properties.exceptions.NotFoundException):
        api.get_by_name("contacts", "plan")


def test_property_groups(legacy: Any) -> None:
    """Groups of properties are created, read, changed and removed."""
    api = legacy.crm.properties.groups_api
    made = api.create("contacts", properties.PropertyGroupCreate(name="billing", label="Billing"))
    assert (made.name, made.archived) == ("billing", False)
    assert api.get_by_name("contacts", "billing").label == "Billing"
    changed = api.update("contacts", "billing", properties.PropertyGroupUpdate(label="Money"))
    assert changed.label == "Money"
    assert "billing" in [g.name for g in api.get_all("contacts").results]
    api.archive("contacts", "billing")
    assert "billing" not in [g.name for g in api.get_all("contacts").results]


def test_custom_types(legacy: Any) -> None:
    """A custom type is defined, associated, used, changed and removed."""
    api = legacy.crm.schemas.core_api
    egg = schemas.ObjectSchemaEgg(
        name="car",
        labels=schemas.ObjectTypeDefinitionLabels(singular="Car", plural="Cars"),
        properties=[
            schemas.ObjectTypePropertyCreate(name="car_name", label="Name", type="string", field_type="text")
        ],
        required_properties=["car_name"],
        primary_display_property="car_name",
        associated_objects=["CONTACT"],
    )
    made = api.create(egg)
    assert (made.fully_qualified_name, made.associations[0].to_object_type_id) == ("p20001_car", "0-1")
    assert api.get_by_id("car").object_type_id == made.object_type_id
    assert [s.name for s in api.get_all(archived=False).results] == ["car"]
    patch = schemas.ObjectTypeDefinitionPatch(
        labels=schemas.ObjectTypeDefinitionLabels(singular="Auto", plural="Autos")
    )
    assert api.update("car", patch).labels.plural == "Autos"
    link = api.create_association(
        "car",
        schemas.AssociationDefinitionEgg(
            from_object_type_id=made.object_type_id, to_object_type_id="0-2", name="car_to_company"
        ),
    )
    assert link.name == "car_to_company"
    api.archive_association("car", link.id)
    assert [a.to_object_type_id for a in api.get_by_id("car").associations] == ["0-1"]
    wanted = objects.SimplePublicObjectInputForCreate(properties={"car_name": "Beetle"}, associations=[])
    one = legacy.crm.objects.basic_api.create(made.object_type_id, wanted)
    assert one.properties["car_name"] == "Beetle"
    legacy.crm.objects.basic_api.archive("car", one.id)
    api.archive("car")
    assert api.get_all().results == []


def test_older_associations(legacy: Any) -> None:
    """The batches of v3 associate, read and separate; the types of a pair are listed."""
    api, person, firm = (
        legacy.crm.associations.batch_api,
        new(legacy, "contacts", "a"),
        new(legacy, "companies", "b"),
    )
    pair = old_associations.BatchInputPublicAssociation(
        inputs=[{"from": {"id": person}, "to": {"id": firm}, "type": "contact_to_company"}]
    )
    made = api.create("contacts", "companies", pair)
    assert (made.results[0].to.id, made.results[0].type) == (firm, "contact_to_company")
    mine = old_associations.BatchInputPublicObjectId(inputs=[{"id": person}])
    read = api.read("contacts", "companies", mine)
    assert [t.id for t in read.results[0].to] == [firm]
    api.archive("contacts", "companies", pair)
    assert api.read("contacts", "companies", mine).results == []
    types = legacy.crm.associations.schema.types_api.get_all("contacts", "companies")
    assert "contact_to_company" in [t.name for t in types.results]


def test_single_associations(legacy: Any) -> None:
    """Two records are associated by default and with labels, listed, and separated."""
    api, person, firm = (
        legacy.crm.associations.v4.basic_api, new(legacy, "contacts", "a"), new(legacy, "companies", "b"),
    )  # fmt: skip
    plain = api.create_default("contacts", person, "companies", firm)
    assert plain.results[0].association_spec.association_type_id == 279
    primary = associations.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)
    made = api.create("contacts", person, "companies", firm, [primary])
    assert (made.labels, made.to_object_type_id) == (["Primary"], "0-2")
    found = api.get_page("contacts", person, "companies").results
    assert [r.to_object_id for r in found] == [firm]
    assert {t.type_id for t in found[0].association_types} == {1, 279}
    beside = legacy.crm.contacts.basic_api.get_by_id(person, associations=["companies"])
    assert beside.associations["companies"].results[0].id == firm
    api.archive("contacts", person, "companies", firm)
    assert api.get_page("contacts", person, "companies").results == []


def test_association_batches(legacy: Any) -> None:
    """Pairs are associated, read, stripped of labels and separated in batches."""
    api, person, firm = (
        legacy.crm.associations.v4.batch_api, new(legacy, "contacts", "a"), new(legacy, "companies", "b"),
    )  # fmt: skip
    ends = {"_from": {"id": person}, "to": {"id": firm}}
    primary = associations.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)
    plain = associations.BatchInputPublicDefaultAssociationMultiPost(
        inputs=[associations.PublicDefaultAssociationMultiPost(**ends)]
    )
    assert api.create_default("contacts", "companies", plain).results[0].to.id == firm
    labelled = associations.BatchInputPublicAssociationMultiPost(
        inputs=[associations.PublicAssociationMultiPost(**ends, types=[primary])]
    )
    assert api.create("contacts", "companies", labelled).results[0].labels == ["Primary"]
    mine = associations.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": person}])
    read = api.get_page("contacts", "companies", mine)
    assert [t.to_object_id for t in read.results[0].to] == [firm]
    api.archive_labels("contacts", "companies", labelled)
    left = api.get_page("contacts", "companies", mine).results[0].to[0].association_types
    assert [t.type_id for t in left] == [279]
    gone = associations.BatchInputPublicAssociationMultiArchive(
        inputs=[associations.PublicAssociationMultiArchive(_from={"id": person}, to=[{"id": firm}])]
    )
    api.archive("contacts", "companies", gone)
    none = api.get_page("contacts", "companies", mine)
    assert none.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_labels(legacy: Any) -> None:
    """Labels of associations are created, listed, renamed and removed."""
    api = legacy.crm.associations.v4.schema.definitions_api
    made = api.create(
        "contacts",
        "companies",
        labels.PublicAssociationDefinitionCreateRequest(label="Advisor", name="advisor"),
    )
    number = made.results[0].type_id
    assert made.results[0].category == "USER_DEFINED"
    change = labels.PublicAssociationDefinitionUpdateRequest(association_type_id=number, label="Board")
    api.update("contacts", "companies", change)
    assert {r.type_id: r.label for r in api.get_all("contacts", "companies").results}[number] == "Board"
    api.remove("contacts", "companies", number)
    assert number not in [r.type_id for r in api.get_all("contacts", "companies").results]


def new_list(legacy: Any, name: str) -> str:
    """A new manual list of contacts."""
    wanted = lists.ListCreateRequest(name=name, object_type_id="0-1", processing_type="MANUAL")
    return str(legacy.crm.lists.lists_api.create(wanted).list.list_id)


def test_lists(legacy: Any) -> None:
    """A list is created, found in every way, renamed, removed and restored."""
    api, made = legacy.crm.lists.lists_api, new_list(legacy, "Friends")
    assert api.get_by_id(made).list.name == "Friends"
    assert [x.list_id for x in api.get_all(list_ids=[made]).lists] == [made]
    assert api.get_by_name("Friends", "0-1").list.list_id == made
    request = lists.ListSearchRequest(
        query="friend", processing_types=["MANUAL"], offset=0, count=5, list_ids=[]
    )
    found = api.do_search(request)
    assert (found.total, found.has_more, found.lists[0].list_id) == (1, False, made)
    assert api.update_name(made, list_name="Best friends").updated_list.name == "Best friends"
    mapping = legacy.crm.lists.mapping_api
    assert mapping.translate_legacy_list_id_to_list_id(legacy_list_id=made).list_id == made
    many = mapping.translate_legacy_list_id_to_list_id_batch([made, "777"])
    assert many.missing_legacy_list_ids == ["777"]
    api.remove(made)
    with pytest.raises(lists.exceptions.NotFoundException):
        api.get_by_id(made)
    api.restore(made)
    assert api.get_by_id(made).list.processing_type == "MANUAL"


def test_memberships(legacy: Any) -> None:
    """Records join and leave a list, one list feeds another, and memberships read from both sides."""
    api, one, two = (
        legacy.crm.lists.memberships_api,
        new(legacy, "contacts", "a"),
        new(legacy, "contacts", "b"),
    )
    first, second = new_list(legacy, "A"), new_list(legacy, "B")
    assert api.add(first, [one, "999"]).record_ids_missing == ["999"]
    change = lists.MembershipChangeRequest(record_ids_to_add=[two], record_ids_to_remove=[one])
    assert api.add_and_remove(first, change).record_ids_removed == [one]
    api.add_all_from_list(second, first)
    assert [m.record_id for m in api.get_page(second).results] == [two]
    assert {m.list_id for m in api.get_lists("0-1", two).results} == {first, second}
    assert api.remove(first, [two]).record_ids_removed == [two]
    api.remove_all(second)
    assert api.get_page(second).results == []


def test_owners(legacy: Any) -> None:
    """Owners are listed, found by address and read by id."""
    api = legacy.crm.owners.owners_api
    found = api.get_page(email="ada.lovelace@portal.example").results
    assert [(o.first_name, o.type) for o in found] == [("Ada", "PERSON")]
    assert api.get_by_id(int(found[0].id)).email == found[0].email


def test_pipelines(legacy: Any) -> None:
    """Pipelines are created, read, changed, replaced and removed."""
    api = legacy.crm.pipelines.pipelines_api
    assert api.get_all("deals").results[0].stages[-1].label == "Closed Lost"
    stages = [
        pipelines.PipelineStageInput(label=n, display_order=0, metadata={"probability": "0.5"})
        for n in ("Open", "Won")
    ]
    wanted = pipelines.PipelineInput(label="Partners", display_order=1, stages=stages[:1])
    made = api.create("deals", wanted)
    assert api.get_by_id("deals", made.id).stages[0].label == "Open"
    changed = api.update("deals", made.id, pipelines.PipelinePatchInput(label="Resellers"))
    assert (changed.label, changed.display_order) == ("Resellers", 1)
    full = pipelines.PipelineInput(label="Shops", display_order=2, stages=stages)
    assert [s.label for s in api.replace("deals", made.id, full).stages] == ["Open", "Won"]
    api.archive("deals", made.id)
    assert made.id not in [p.id for p in api.get_all("deals").results]


def test_pipeline_stages(legacy: Any) -> None:
    """Stages of a pipeline are created, read, changed, replaced and removed."""
    api = legacy.crm.pipelines.pipeline_stages_api
    wanted = pipelines.PipelineStageInput(label="Lost", display_order=9, metadata={"ticketState": "CLOSED"})
    made = api.create("tickets", "0", wanted)
    assert api.get_by_id("tickets", "0", made.id).metadata == {"ticketState": "CLOSED"}
    change = pipelines.PipelineStagePatchInput(label="Gone", metadata={"ticketState": "CLOSED"})
    assert api.update("tickets", "0", made.id, change).label == "Gone"
    assert api.replace("tickets", "0", made.id, wanted).label == "Lost"
    assert "Lost" in [s.label for s in api.get_all("tickets", "0").results]
    api.archive("tickets", "0", made.id)
    assert "Lost" not in [s.label for s in api.get_all("tickets", "0").results]


def test_events(legacy: Any, recorder: Any) -> None:
    """Events that were sent alone and in batches are read back, once for each uuid."""
    from millstream.sandbox import definitions
    from millstream.sandbox.routing import Call

    body = {"label": "Played", "propertyDefinitions": []}  # the client cannot define events
    definitions.create(recorder.sandbox.portal, Call("POST", "/events/v3/event-definitions", {}, {}, body))
    name, person = "pe20001_played", new(legacy, "contacts", "a")
    first = send.BehavioralEventHttpCompletionRequest(
        event_name=name, object_id=person, uuid="one", properties={"hs_city": "Rome"}
    )
    legacy.events.send.basic_api.send(first)
    other = send.BehavioralEventHttpCompletionRequest(
        event_name=name, email="a@client.example", uuid="two", properties={}
    )
    legacy.events.send.batch_api.send(send.BatchedBehavioralEventHttpCompletionRequest(inputs=[first, other]))
    found = legacy.events.events_api.get_page(object_type="contact", object_id=int(person), event_type=name)
    assert sorted(e.id for e in found.results) == ["one", "two"]
    assert {e.object_id for e in found.results} == {person}
    assert name in legacy.events.events_api.get_types().event_types


def test_oauth(legacy: Any, recorder: Any) -> None:
    """A refresh token gives an access token; both are described, and the first is forgotten."""
    config = recorder.sandbox.hubspot.config
    recorder.sandbox.portal.refresh_tokens["refresh"] = {"scopes": ["oauth"]}
    made = legacy.oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id=config.client_id,
        client_secret=config.client_secret,
        refresh_token="refresh",
    )
    assert (made.expires_in, made.refresh_token, made.token_type) == (1800, "refresh", "bearer")
    told = legacy.oauth.access_tokens_api.get(made.access_token)
    assert (told.hub_id, told.scopes, told.token_type) == (config.portal_id, ["oauth"], "access")
    api = legacy.oauth.refresh_tokens_api
    assert api.get("refresh").client_id == config.client_id
    api.archive("refresh")
    assert "refresh" not in recorder.sandbox.portal.refresh_tokens


def test_forms(legacy: Any) -> None:
    """Forms are listed and read with their fields."""
    api = legacy.marketing.forms.forms_api
    form = api.get_page().results[0]
    assert form.name == "Contact us"
    read = api.get_by_id(form.id)
    assert (read.id, read.form_type) == (form.id, "hubspot")


def test_marketing_emails(legacy: Any) -> None:
    """Marketing emails are listed and read, with what they did."""
    api = legacy.marketing.emails.marketing_emails_api
    found = api.get_page()
    assert (found.total, [m.name for m in found.results]) == (2, ["Welcome", "News of the month"])
    assert api.get_by_id(found.results[0].id).subject == "Welcome"
    assert legacy.marketing.emails.statistics_api.get_emails_list().emails == [9001, 9002]


def test_communication_preferences(legacy: Any) -> None:
    """Subscription types are listed; an address subscribes and leaves."""
    api = legacy.communication_preferences
    kind = api.definition_api.get_page().subscription_definitions[0].id
    wanted = PublicUpdateSubscriptionStatusRequest(email_address="ada@client.example", subscription_id=kind)
    assert api.status_api.subscribe(wanted).status == "SUBSCRIBED"
    assert api.status_api.unsubscribe(wanted).status == "NOT_SUBSCRIBED"
    told = api.status_api.get_email_status("ada@client.example")
    assert {s.id: s.status for s in told.subscription_statuses}[kind] == "NOT_SUBSCRIBED"


def test_webhooks(legacy: Any) -> None:
    """An app's webhooks are set, subscribed, switched and removed."""
    settings, api = legacy.webhooks.settings_api, legacy.webhooks.subscriptions_api
    limits = ThrottlingSettings(max_concurrent_requests=5)
    change = SettingsChangeRequest(target_url="https://app.example/hook", throttling=limits)
    assert settings.configure(7, change).throttling.max_concurrent_requests == 5
    assert settings.get_all(7).target_url == "https://app.example/hook"
    made = api.create(
        7, SubscriptionCreateRequest(event_type="contact.propertyChange", property_name="email", active=False)
    )
    assert (made.event_type, made.property_name, made.active) == ("contact.propertyChange", "email", False)
    number = int(made.id)
    assert api.update(number, 7, SubscriptionPatchRequest(active=True)).active
    off = BatchInputSubscriptionBatchUpdateRequest(
        inputs=[SubscriptionBatchUpdateRequest(id=number, active=False)]
    )
    assert api.update_batch(7, off).results[0].active is False
    assert api.get_by_id(number, 7).active is False
    assert [s.id for s in api.get_all(7).results] == [made.id]
    api.archive(number, 7)
    assert api.get_all(7).results == []
    settings.clear(7)
