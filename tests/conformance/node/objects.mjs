// Records: every typed object API of client.crm, then what only contacts, companies and deals can.

import assert from "node:assert/strict";
import { ids, recent, refused, step } from "./harness.mjs";

const KEY = "node_key"; // a unique property made for each type: upserts need one

// name → the API, values that its records take in, and a property to change.
const kinds = (crm, objects = crm.objects) => ({
  contacts: [crm.contacts, { firstname: "Ada", lastname: "Lovelace" }, "jobtitle", "Engineer"],
  companies: [crm.companies, { name: "Node Ltd", domain: "node.example" }, "city", "Berlin"],
  deals: [crm.deals, { dealname: "Deal", pipeline: "default", dealstage: "closedwon" }, "amount", "12.50"],
  tickets: [crm.tickets, { subject: "Help", hs_pipeline: "0", hs_pipeline_stage: "1" }, "content", "Soon"],
  products: [crm.products, { name: "Anvil", price: "10" }, "description", "Heavy"],
  line_items: [crm.lineItems, { name: "Anvil", quantity: "2", price: "10" }, "quantity", "3"],
  quotes: [crm.quotes, { hs_title: "Quote", hs_expiration_date: "2026-12-31" }, "hs_title", "Offer"],
  invoices: [crm.commerce.invoices, { hs_currency: "EUR" }, "hs_currency", "USD"],
  calls: [objects.calls, { hs_timestamp: "2026-11-01T10:00:00Z", hs_call_title: "Call" }, "hs_call_body", "Long"],
  communications: [
    objects.communications,
    { hs_timestamp: "2026-11-01T10:00:00Z", hs_communication_channel_type: "SMS" },
    "hs_communication_body",
    "Hello",
  ],
  emails: [objects.emails, { hs_timestamp: "2026-11-01T10:00:00Z", hs_email_subject: "Hi" }, "hs_email_text", "Text"],
  goal_targets: [objects.goals, { hs_goal_name: "Goal" }, "hs_target_amount", "5"],
  leads: [objects.leads, { hs_lead_name: "Lead" }, "hs_lead_type", "NEW_BUSINESS"],
  meetings: [
    objects.meetings,
    { hs_timestamp: "2026-11-01T10:00:00Z", hs_meeting_title: "Meet" },
    "hs_meeting_body",
    "Agenda",
  ],
  notes: [objects.notes, { hs_timestamp: "2026-11-01T10:00:00Z", hs_note_body: "Note" }, "hs_note_body", "More"],
  postal_mail: [objects.postalMail, { hs_timestamp: "2026-11-01T10:00:00Z" }, "hs_postal_mail_body", "Letter"],
  tasks: [
    objects.tasks,
    { hs_timestamp: "2026-11-01T10:00:00Z", hs_task_subject: "Call back" },
    "hs_task_status",
    "COMPLETED",
  ],
  taxes: [objects.taxes, { hs_label: "VAT" }, "hs_value", "19"],
  orders: [bound(objects, "orders"), { hs_order_name: "Order" }, "hs_order_name", "Reorder"],
});

/** The generic API with the object type filled in, as if it were a typed one. */
function bound(objects, type) {
  const typed = (api) => new Proxy(api, { get: (o, n) => (...given) => o[n](type, ...given) });
  return {
    basicApi: typed(objects.basicApi),
    batchApi: typed(objects.batchApi),
    searchApi: typed(objects.searchApi),
  };
}

export async function objects({ crm }) {
  for (const [type, [api, values, name, value]] of Object.entries(kinds(crm))) {
    await step(`${type}.unique property`, async () => {
      const groupName = (await crm.properties.groupsApi.getAll(type)).results[0].name;
      const wanted = { name: KEY, label: "Key", type: "string", fieldType: "text", groupName, hasUniqueValue: true };
      assert.equal((await crm.properties.coreApi.create(type, wanted)).hasUniqueValue, true);
    });
    const made = await single(type, api, values, name, value);
    await batches(type, api, values, name, value);
    await step(`${type}.archive`, () => archived(api, made));
  }
  await reading(crm);
  await contacts(crm.contacts);
  await companies(crm);
  await paging(crm);
}

async function single(type, { basicApi, searchApi }, values, name, value) {
  let made;
  await step(`${type}.create`, async () => {
    made = await basicApi.create({ properties: { ...values, [KEY]: "one" }, associations: [] });
    for (const [n, v] of Object.entries(values)) assert.equal(made.properties[n], v, n);
    assert.equal(made.properties.hs_object_id, made.id);
    assert.equal(made.archived, false);
    recent(made.createdAt, "createdAt");
    await refused(() => basicApi.create({ properties: { ...values, no_such: "x" } }), 400, /does not exist/);
    await refused(() => basicApi.create({ properties: { ...values, [KEY]: "one" } }), 409, /already exists/, "CONFLICT");
  });
  await step(`${type}.update`, async () => {
    const changed = await basicApi.update(made.id, { properties: { [name]: value } });
    assert.equal(changed.id, made.id);
    assert.equal(changed.properties[name], value);
    recent(changed.updatedAt, "updatedAt");
    const cleared = await basicApi.update("one", { properties: { [name]: "" } }, KEY);
    assert.equal(cleared.properties[name] || null, null);
    await basicApi.update(made.id, { properties: { [name]: value } });
    await refused(() => basicApi.update("99999999", { properties: { [name]: value } }), 404);
  });
  await step(`${type}.getById`, async () => {
    const found = await basicApi.getById(made.id, [name, "no_such"], [name]);
    assert.equal(found.properties[name], value);
    assert.ok(!("no_such" in found.properties), "unknown properties are left out silently");
    const [latest] = found.propertiesWithHistory[name];
    assert.equal(latest.value, value);
    recent(latest.timestamp, "history timestamp");
    assert.equal((await basicApi.getById("one", [KEY], undefined, undefined, false, KEY)).id, made.id);
    await refused(() => basicApi.getById("99999999"), 404, /resource not found/);
  });
  await step(`${type}.getPage`, async () => {
    const page = await basicApi.getPage(100, undefined, [name]);
    assert.equal(page.results.find((r) => r.id === made.id).properties[name], value);
  });
  await step(`${type}.search`, async () => {
    const filters = [{ propertyName: name, operator: "EQ", value }];
    const wanted = { filterGroups: [{ filters }], properties: [name], sorts: ["-createdate"], limit: 5 };
    const found = await searchApi.doSearch(wanted);
    assert.equal(found.total, 1);
    assert.equal(found.results[0].id, made.id);
    assert.equal(found.results[0].properties[name], value);
    assert.equal((await searchApi.doSearch({ filterGroups: [{ filters: [{ propertyName: KEY, operator: "IN", values: ["one", "two"] }] }] })).total, 1);
  });
  return made;
}

async function batches(type, { basicApi, batchApi }, values, name, value) {
  let some = [];
  const rows = ["two", "three"].map((k) => ({ properties: { ...values, [KEY]: k }, associations: [] }));
  await step(`${type}.batch create`, async () => {
    const made = await batchApi.create({ inputs: rows });
    assert.equal(made.status, "COMPLETE");
    assert.equal(made.results.length, 2);
    recent(made.startedAt, "startedAt");
    recent(made.results[0].createdAt, "createdAt");
    some = ids(made.results);
    const traced = [{ ...rows[0], objectWriteTraceId: "t0" }, { properties: { ...values, [KEY]: "four" }, objectWriteTraceId: "t1" }];
    const partial = await batchApi.create({ inputs: traced });
    assert.equal(partial.numErrors, 1);
    assert.equal(partial.errors[0].category, "CONFLICT");
    assert.deepEqual(partial.errors[0].context.objectWriteTraceId, ["t0"]);
    assert.equal(partial.results[0].objectWriteTraceId, "t1");
    await basicApi.archive(partial.results[0].id);
    await refused(() => batchApi.create({ inputs: rows }), 409, /already exists/, "CONFLICT");
  });
  await step(`${type}.batch read`, async () => {
    const wanted = { inputs: some.map((id) => ({ id })), properties: [KEY], propertiesWithHistory: [] };
    assert.deepEqual(ids((await batchApi.read(wanted)).results), some);
    const by = { inputs: [{ id: "two" }, { id: "none" }], idProperty: KEY, properties: [KEY], propertiesWithHistory: [] };
    const partial = await batchApi.read(by);
    assert.equal(partial.results[0].properties[KEY], "two");
    assert.equal(partial.numErrors, 1);
    assert.deepEqual(partial.errors[0].context.ids, ["none"]);
  });
  await step(`${type}.batch update`, async () => {
    const made = await batchApi.update({ inputs: some.map((id) => ({ id, properties: { [name]: value } })) });
    assert.deepEqual(ids(made.results), some);
    assert.ok(made.results.every((r) => r.properties[name] === value));
    const by = await batchApi.update({ inputs: [{ id: "two", idProperty: KEY, properties: { [name]: value } }] });
    assert.ok(some.includes(by.results[0].id));
    const twice = [some[0], some[0]].map((id) => ({ id, properties: { [name]: value } }));
    await refused(() => batchApi.update({ inputs: twice }), 400, /Duplicate IDs found in batch input/);
  });
  await step(`${type}.batch upsert`, async () => {
    const inputs = ["two", "five"].map((id) => ({ id, idProperty: KEY, properties: values, objectWriteTraceId: id }));
    const made = await batchApi.upsert({ inputs });
    const by = Object.fromEntries(made.results.map((r) => [r.objectWriteTraceId, r]));
    assert.equal(by.two._new, false);
    assert.equal(by.five._new, true);
    assert.equal(by.five.properties[KEY], "five");
    some = ids([...made.results, ...some.map((id) => ({ id }))]);
    const unfit = [{ id: "x", idProperty: name, properties: values }];
    await refused(() => batchApi.upsert({ inputs: unfit }), 400, /non-unique/);
  });
  await step(`${type}.batch archive`, async () => {
    await batchApi.archive({ inputs: [...new Set(some)].map((id) => ({ id })) });
    for (const id of some) await refused(() => basicApi.getById(id), 404);
  });
}

async function archived({ basicApi }, made) {
  await basicApi.archive(made.id);
  await basicApi.archive(made.id);
  await refused(() => basicApi.getById(made.id), 404);
  const gone = await basicApi.getById(made.id, undefined, undefined, undefined, true);
  assert.equal(gone.archived, true);
  recent(gone.archivedAt, "archivedAt");
  const page = await basicApi.getPage(100, undefined, undefined, undefined, undefined, true);
  assert.ok(page.results.some((r) => r.id === made.id));
  await refused(() => basicApi.getById(made.id), 404);
}

async function reading({ objects: { feedbackSubmissions: api } }) {
  await step("feedback_submissions", async () => {
    assert.deepEqual((await api.basicApi.getPage()).results, []);
    assert.equal((await api.searchApi.doSearch({ filterGroups: [] })).total, 0);
    const read = await api.batchApi.read({ inputs: [{ id: "1" }], properties: [], propertiesWithHistory: [] });
    assert.equal(read.errors[0].category, "OBJECT_NOT_FOUND");
    await refused(() => api.basicApi.getById("1"), 404);
  });
}

async function contacts({ basicApi, batchApi, searchApi }) {
  const make = (email, more = {}) => basicApi.create({ properties: { email, ...more }, associations: [] });
  await step("contacts.email", async () => {
    const made = await make(" Grace@Node.example ", { firstname: "Grace" });
    assert.equal(made.properties.email, "grace@node.example");
    assert.equal(made.properties.lifecyclestage, "lead");
    assert.equal((await basicApi.getById("GRACE@node.example", ["email"], undefined, undefined, false, "email")).id, made.id);
    const again = await refused(() => make("grace@node.example"), 409, /Contact already exists\. Existing ID: \d+/, "CONFLICT");
    assert.match(again.body.message, new RegExp(`Existing ID: ${made.id}`));
    await refused(() => make("no address"), 400, /INVALID_EMAIL/, "VALIDATION_ERROR");
    await refused(() => basicApi.create({ properties: {} }), 400);
    const details = (await refused(() => make("x@node.example", { nope: "1" }), 400)).body.errors[0];
    assert.equal(details.code, "PROPERTY_DOESNT_EXIST");
    assert.deepEqual(details.context.propertyName, ["nope"]);
  });
  await step("contacts.upsert by email", async () => {
    const inputs = ["grace@node.example", "new@node.example"].map((id) => ({
      id, idProperty: "email", properties: { lastname: "Hopper" },
    }));
    const made = await batchApi.upsert({ inputs });
    assert.deepEqual(made.results.map((r) => [r.properties.email, r._new]).sort(), [
      ["grace@node.example", false],
      ["new@node.example", true],
    ]);
    assert.equal(made.results.find((r) => !r._new).properties.firstname, "Grace");
  });
  await step("contacts.lifecyclestage moves forward only", async () => {
    const { id } = await make("stage@node.example", { lifecyclestage: "customer" });
    const kept = await basicApi.update(id, { properties: { lifecyclestage: "lead" } });
    assert.equal(kept.properties.lifecyclestage, "customer");
    await basicApi.update(id, { properties: { lifecyclestage: "" } });
    const set = await basicApi.update(id, { properties: { lifecyclestage: "lead" } });
    assert.equal(set.properties.lifecyclestage, "lead");
  });
  await step("contacts.search operators", async () => {
    const total = async (...filters) =>
      (await searchApi.doSearch({ filterGroups: [{ filters }], properties: ["email"], limit: 10 })).total;
    const has = { propertyName: "email", operator: "HAS_PROPERTY" };
    const all = await total(has);
    assert.ok(all >= 3);
    assert.equal(await total({ propertyName: "email", operator: "CONTAINS_TOKEN", value: "*node.example" }), all);
    assert.equal(await total(has, { propertyName: "email", operator: "NEQ", value: "new@node.example" }), all - 1);
    assert.equal(await total(has, { propertyName: "createdate", operator: "GT", value: "1" }), all);
    assert.equal(await total(has, { propertyName: "createdate", operator: "LT", value: "1" }), 0);
    const between = { propertyName: "createdate", operator: "BETWEEN", value: "1", highValue: String(Date.now() + 9e6) };
    assert.equal(await total(has, between), all);
    const filters = Array(7).fill(has);
    await refused(() => searchApi.doSearch({ filterGroups: [{ filters }] }), 400);
    assert.equal((await searchApi.doSearch({ query: "grace@" })).total, 1);
    const first = await searchApi.doSearch({ filterGroups: [{ filters: [has] }], limit: 1, sorts: ["email"] });
    const second = await searchApi.doSearch({
      filterGroups: [{ filters: [has] }], limit: 1, sorts: ["email"], after: first.paging.next.after,
    });
    assert.notEqual(first.results[0].id, second.results[0].id);
  });
  await step("contacts.merge", async () => {
    const [kept, other] = [await make("kept@node.example"), await make("other@node.example", { city: "Kiel" })];
    const merged = await basicApi.merge({ primaryObjectId: kept.id, objectIdToMerge: other.id });
    assert.equal(merged.properties.city, "Kiel");
    assert.equal(merged.properties.email, "kept@node.example");
    for (const id of [kept.id, other.id]) assert.equal((await basicApi.getById(id)).id, merged.id);
    const by = await basicApi.getById("other@node.example", ["email"], undefined, undefined, false, "email");
    assert.equal(by.id, merged.id);
  });
  await step("contacts.purge", async () => {
    const { id } = await make("forget@node.example");
    await basicApi.purge({ objectId: "forget@node.example", idProperty: "email" });
    await refused(() => basicApi.getById(id), 404);
    await refused(() => basicApi.getById(id, undefined, undefined, undefined, true), 404);
    await refused(() => make("forget@node.example"), 400);
    const second = await make("second@node.example");
    await basicApi.purge({ objectId: second.id });
    await refused(() => basicApi.getById(second.id), 404);
  });
}

async function companies({ companies: api, deals, tickets }) {
  const pair = (one, properties) => Promise.all([1, 2].map(() => one.basicApi.create({ properties, associations: [] })));
  await step("companies, deals and tickets merge", async () => {
    const rows = [
      [api, { name: "Twin", domain: "twin.example" }],
      [deals, { dealname: "Twin", dealstage: "closedwon", pipeline: "default" }],
      [tickets, { subject: "Twin", hs_pipeline: "0", hs_pipeline_stage: "1" }],
    ];
    for (const [one, properties] of rows) {
      const [kept, other] = await pair(one, properties);
      const merged = await one.basicApi.merge({ primaryObjectId: kept.id, objectIdToMerge: other.id });
      assert.equal((await one.basicApi.getById(other.id)).id, merged.id);
      await refused(() => one.basicApi.merge({ primaryObjectId: kept.id, objectIdToMerge: "99999999" }), 404);
    }
  });
}

async function paging({ contacts: api, products }) {
  await step("getAll over pages", async () => {
    const inputs = [...Array(100).keys()].map((i) => ({ properties: { name: `p${i}`, price: "1" }, associations: [] }));
    await products.batchApi.create({ inputs });
    await products.batchApi.create({ inputs: inputs.slice(0, 30) });
    const all = await products.getAll(50, undefined, ["name"]);
    assert.equal(all.length, 130);
    assert.equal(new Set(all.map((r) => r.id)).size, 130);
    const page = await products.basicApi.getPage(100);
    assert.equal(page.results.length, 100);
    assert.equal((await products.basicApi.getPage(100, page.paging.next.after)).paging, undefined);
    const over = [...inputs, ...inputs.slice(0, 1)];
    await refused(() => products.batchApi.create({ inputs: over }), 400);
    assert.ok((await api.getAll()).length > 2);
  });
}
