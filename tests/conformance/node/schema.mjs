// Properties, their groups, custom object types.

import assert from "node:assert/strict";
import { recent, refused, step } from "./harness.mjs";

const text = (name, more = {}) => ({
  name,
  label: `Label of ${name}`,
  type: "string",
  fieldType: "text",
  groupName: "node_group",
  ...more,
});

export async function schema({ crm }) {
  await groups(crm.properties.groupsApi);
  await single(crm.properties.coreApi);
  await batches(crm.properties.batchApi, crm.properties.coreApi);
  await step("groups.archive", async () => {
    for (const p of ["node_text", "node_choice"]) await crm.properties.coreApi.archive("contacts", p);
    await crm.properties.groupsApi.archive("contacts", "node_group");
    await refused(() => crm.properties.groupsApi.getByName("contacts", "node_group"), 404);
  });
  await custom(crm);
}

async function groups(api) {
  await step("groups.create", async () => {
    const made = await api.create("contacts", { name: "node_group", label: "Node", displayOrder: 3 });
    assert.deepEqual(
      { name: made.name, label: made.label, order: made.displayOrder, archived: made.archived },
      { name: "node_group", label: "Node", order: 3, archived: false },
    );
    await refused(() => api.create("contacts", { name: "node_group", label: "Node" }), 409);
  });
  await step("groups.getAll", async () => {
    const names = (await api.getAll("contacts")).results.map((g) => g.name);
    assert.ok(names.includes("node_group") && names.includes("contactinformation"), names.join());
  });
  await step("groups.update", async () => {
    assert.equal((await api.update("contacts", "node_group", { label: "Of Node" })).label, "Of Node");
    assert.equal((await api.getByName("contacts", "node_group")).label, "Of Node");
  });
}

async function single(api) {
  await step("properties.create", async () => {
    const made = await api.create("contacts", text("node_text", { description: "by Node" }));
    assert.equal(made.description, "by Node");
    assert.equal(made.hubspotDefined ?? false, false);
    assert.equal(made.modificationMetadata.readOnlyValue, false);
    recent(made.createdAt, "createdAt");
    recent(made.updatedAt, "updatedAt");
    const again = await refused(() => api.create("contacts", text("node_text")), 409, /already exists/);
    assert.equal(again.body.subCategory, "Properties.PROPERTY_WITH_NAME_EXISTS");
    await refused(() => api.create("contacts", text("Node Text")), 400);
  });
  await step("properties.create enumeration", async () => {
    const options = ["red", "blue"].map((value, displayOrder) => ({ label: value, value, displayOrder, hidden: false }));
    const made = await api.create(
      "contacts",
      text("node_choice", { type: "enumeration", fieldType: "select", options }),
    );
    assert.deepEqual(made.options.map((o) => o.value), ["red", "blue"]);
    assert.equal(made.options[1].displayOrder, 1);
  });
  await step("properties.getByName", async () => {
    assert.equal((await api.getByName("contacts", "node_text")).label, "Label of node_text");
    await refused(() => api.getByName("contacts", "no_such_property"), 404);
  });
  await step("properties.getAll", async () => {
    const all = (await api.getAll("contacts")).results;
    const email = all.find((p) => p.name === "email");
    assert.equal(email.type, "string");
    assert.ok(all.some((p) => p.name === "node_text"));
    assert.ok((await api.getAll("0-2")).results.some((p) => p.name === "domain"));
  });
  await step("properties.update", async () => {
    assert.equal((await api.update("contacts", "node_text", { label: "New label" })).label, "New label");
    const kept = await api.update("contacts", "node_choice", { label: "Choice" });
    assert.deepEqual(kept.options.map((o) => o.value), ["red", "blue"]);
  });
  await step("properties.archive and restore", async () => {
    await api.create("contacts", text("node_gone"));
    await api.archive("contacts", "node_gone");
    await refused(() => api.getByName("contacts", "node_gone"), 404);
    const archived = await api.getByName("contacts", "node_gone", true);
    assert.equal(archived.archived, true);
    recent(archived.archivedAt, "archivedAt");
    assert.ok((await api.getAll("contacts", true)).results.some((p) => p.name === "node_gone"));
    assert.equal((await api.create("contacts", text("node_gone", { label: "Back" }))).label, "Back");
    await api.archive("contacts", "node_gone");
  });
}

async function batches(api, core) {
  await step("properties.batch create", async () => {
    const made = await api.create("deals", { inputs: [text("node_a"), text("node_b")] });
    assert.equal(made.status, "COMPLETE");
    assert.equal(made.results.length, 2);
    recent(made.completedAt, "completedAt");
    const partial = await api.create("deals", { inputs: [text("node_b"), text("node_c")] });
    assert.equal(partial.numErrors, 1);
    assert.deepEqual(partial.errors[0].context.name, ["node_b"]);
  });
  await step("properties.batch read", async () => {
    const found = await api.read("deals", { inputs: [{ name: "node_a" }, { name: "dealname" }], archived: false });
    assert.deepEqual(found.results.map((p) => p.name).sort(), ["dealname", "node_a"]);
  });
  await step("properties.batch archive", async () => {
    await api.archive("deals", { inputs: [{ name: "node_a" }, { name: "node_b" }, { name: "node_c" }] });
    await refused(() => core.getByName("deals", "node_a"), 404);
    const archived = await api.read("deals", { inputs: [{ name: "node_a" }], archived: true });
    assert.equal(archived.results[0].archived, true);
  });
}

async function custom({ schemas: { coreApi }, objects, properties }) {
  let made;
  await step("schemas.create", async () => {
    made = await coreApi.create({
      name: "node_boat",
      labels: { singular: "Boat", plural: "Boats" },
      primaryDisplayProperty: "boat_name",
      requiredProperties: ["boat_name"],
      searchableProperties: ["boat_name"],
      associatedObjects: ["CONTACT"],
      properties: [
        { name: "boat_name", label: "Name", type: "string", fieldType: "text" },
        { name: "boat_key", label: "Key", type: "string", fieldType: "text", hasUniqueValue: true },
      ],
    });
    assert.match(made.objectTypeId, /^2-\d+$/);
    assert.match(made.fullyQualifiedName, /^p\d+_node_boat$/);
    assert.equal(made.labels.plural, "Boats");
    assert.ok(made.properties.some((p) => p.name === "boat_name"));
    assert.equal(made.associations[0].toObjectTypeId, "0-1");
    recent(made.createdAt, "createdAt");
  });
  await step("schemas.getAll", async () => {
    assert.ok((await coreApi.getAll(false)).results.some((s) => s.name === "node_boat"));
  });
  await step("schemas.getById", async () => {
    for (const name of ["node_boat", made.objectTypeId, made.fullyQualifiedName]) {
      assert.equal((await coreApi.getById(name)).id, made.id, name);
    }
    await refused(() => coreApi.getById("no_such_type"), 400, /Unable to infer object type/);
  });
  await step("schemas.update", async () => {
    const changed = await coreApi.update("node_boat", { labels: { singular: "Ship", plural: "Ships" } });
    assert.equal(changed.labels.singular, "Ship");
  });
  await step("schemas.createAssociation", async () => {
    const link = await coreApi.createAssociation("node_boat", {
      fromObjectTypeId: made.objectTypeId,
      toObjectTypeId: "0-2",
      name: "boat_to_company",
    });
    assert.equal(link.toObjectTypeId, "0-2");
    await coreApi.archiveAssociation("node_boat", link.id);
    const left = (await coreApi.getById("node_boat")).associations;
    assert.ok(!left.some((a) => a.id === link.id));
  });
  await step("custom objects", async () => {
    const boat = await objects.basicApi.create(made.objectTypeId, { properties: { boat_name: "Argo" } });
    assert.equal(boat.properties.boat_name, "Argo");
    const upserted = await objects.batchApi.upsert("node_boat", {
      inputs: [{ id: "k-1", idProperty: "boat_key", properties: { boat_name: "Beagle" } }],
    });
    assert.equal(upserted.results[0]._new, true);
    assert.equal((await objects.basicApi.getPage("node_boat")).results.length, 2);
    await refused(() => objects.basicApi.create("node_boat", { properties: { boat_key: "k-2" } }), 400);
    assert.equal((await properties.coreApi.getByName("node_boat", "boat_key")).hasUniqueValue, true);
  });
  await step("schemas.archive", async () => {
    await refused(() => coreApi.archive("node_boat"), 400);
    const some = (await objects.basicApi.getPage("node_boat")).results;
    for (const { id } of some) await objects.basicApi.archive("node_boat", id);
    await coreApi.archive("node_boat");
    assert.ok((await coreApi.getAll(true)).results.some((s) => s.name === "node_boat" && s.archived));
  });
}
