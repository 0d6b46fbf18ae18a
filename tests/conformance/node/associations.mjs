// Associations: v4 single and in batches, v3 batches, types, labels under both of their paths.

import assert from "node:assert/strict";
import { refused, step } from "./harness.mjs";

const HUBSPOT = "HUBSPOT_DEFINED";
const spec = (associationTypeId, associationCategory = HUBSPOT) => ({ associationCategory, associationTypeId });

export async function associations({ crm }) {
  const { v4, schema, batchApi: v3 } = crm.associations;
  const contact = async (n) =>
    (await crm.contacts.basicApi.create({ properties: { email: `a${n}@node.example` }, associations: [] })).id;
  const company = async (n) =>
    (await crm.companies.basicApi.create({ properties: { name: `A${n}` }, associations: [] })).id;
  const [c1, c2, c3] = [await contact(1), await contact(2), await contact(3)];
  const [o1, o2] = [await company(1), await company(2)];
  const numbers = (row) => row.associationTypes.map((t) => t.typeId).sort((a, b) => a - b);
  const of = async (id, limit) => (await v4.basicApi.getPage("contacts", id, "companies", undefined, limit)).results;

  await single(v4.basicApi, { c1, o1, o2, of, numbers });
  await batches(v4.batchApi, { c2, c3, o1, o2, of, numbers });
  await labels(v4, { c1, o1, of, numbers });
  await older(v3, schema.typesApi, { c1, c2, o2, of });
  await withRecords(crm, o1);
}

async function single(api, { c1, o1, o2, of, numbers }) {
  await step("associations.v4 createDefault", async () => {
    const made = await api.createDefault("contacts", c1, "companies", o1);
    assert.equal(made.status, "COMPLETE");
    const [one] = made.results;
    assert.deepEqual([one._from.id, one.to.id], [c1, o1]);
    assert.ok([279, 280].includes(one.associationSpec.associationTypeId));
    assert.equal(one.associationSpec.associationCategory, HUBSPOT);
    await refused(() => api.createDefault("contacts", c1, "companies", "99999999"), 404, /No company with ID 99999999 exists/);
  });
  await step("associations.v4 create", async () => {
    const made = await api.create("contacts", c1, "companies", o2, [spec(1)]);
    assert.deepEqual([made.fromObjectTypeId, made.fromObjectId, made.toObjectTypeId, made.toObjectId], ["0-1", c1, "0-2", o2]);
    assert.ok(made.labels.includes("Primary"));
    await refused(() => api.create("contacts", c1, "companies", o2, [spec(4)]), 400);
  });
  await step("associations.v4 getPage", async () => {
    const rows = await of(c1);
    assert.deepEqual(rows.map((r) => r.toObjectId).sort(), [o1, o2].sort());
    assert.ok(numbers(rows.find((r) => r.toObjectId === o2)).includes(1));
    const page = await api.getPage("contacts", c1, "companies", undefined, 1);
    const next = await api.getPage("contacts", c1, "companies", page.paging.next.after, 1);
    assert.notEqual(page.results[0].toObjectId, next.results[0].toObjectId);
    assert.equal(next.paging, undefined);
    const back = (await api.getPage("companies", o2, "contacts")).results;
    assert.ok(numbers(back[0]).includes(2), "the other direction has its own type");
  });
  await step("associations.v4 archive", async () => {
    await api.archive("contacts", c1, "companies", o2);
    assert.deepEqual((await of(c1)).map((r) => r.toObjectId), [o1]);
    assert.deepEqual((await api.getPage("companies", o2, "contacts")).results, []);
  });
}

async function batches(api, { c2, c3, o1, o2, of, numbers }) {
  const pair = (a, b) => ({ _from: { id: a }, to: { id: b } });
  await step("associations.v4 batch createDefault", async () => {
    const made = await api.createDefault("contacts", "companies", { inputs: [pair(c2, o1)] });
    assert.equal(made.results[0]._from.id, c2);
    assert.ok([279, 280].includes(made.results[0].associationSpec.associationTypeId));
  });
  await step("associations.v4 batch create", async () => {
    const made = await api.create("contacts", "companies", { inputs: [{ ...pair(c2, o2), types: [spec(1)] }] });
    assert.equal(made.results[0].toObjectId, o2);
    const inputs = [{ ...pair(c3, o1), types: [spec(279)] }, { ...pair(c3, "99999999"), types: [spec(279)] }];
    const partial = await api.create("contacts", "companies", { inputs });
    assert.equal(partial.numErrors, 1);
    assert.match(partial.errors[0].message, /No company with ID 99999999 exists/);
    assert.equal((await of(c3)).length, 1);
  });
  await step("associations.v4 batch read", async () => {
    const found = await api.getPage("contacts", "companies", { inputs: [{ id: c2 }, { id: c3 }] });
    const to = Object.fromEntries(found.results.map((r) => [r._from.id, r.to.map((t) => t.toObjectId).sort()]));
    assert.deepEqual(to, { [c2]: [o1, o2].sort(), [c3]: [o1] });
    const none = await api.getPage("contacts", "deals", { inputs: [{ id: c2 }] });
    assert.equal(none.errors[0].subCategory, "crm.associations.NO_ASSOCIATIONS_FOUND");
    assert.deepEqual(none.results, []);
  });
  await step("associations.v4 batch archiveLabels", async () => {
    await api.archiveLabels("contacts", "companies", { inputs: [{ ...pair(c2, o2), types: [spec(1)] }] });
    const row = (await of(c2)).find((r) => r.toObjectId === o2);
    assert.deepEqual(numbers(row), [279]);
  });
  await step("associations.v4 batch archive", async () => {
    await api.archive("contacts", "companies", { inputs: [{ _from: { id: c2 }, to: [{ id: o1 }, { id: o2 }] }] });
    assert.deepEqual(await of(c2), []);
  });
}

async function labels(v4, { c1, o1, of, numbers }) {
  const { definitionsApi } = v4.schema;
  let own;
  await step("associations.labels create", async () => {
    const wanted = { name: "node_advisor", label: "Advisor", inverseLabel: "Advised" };
    const made = (await definitionsApi.create("contacts", "companies", wanted)).results;
    own = made.find((m) => m.label === "Advisor");
    assert.equal(own.category, "USER_DEFINED");
    assert.ok(made.some((m) => m.label === "Advised"));
    await refused(() => definitionsApi.create("contacts", "companies", wanted), 400);
  });
  await step("associations.labels getAll", async () => {
    const all = (await definitionsApi.getAll("contacts", "companies")).results;
    const known = Object.fromEntries(all.map((m) => [m.typeId, m.label ?? null]));
    assert.equal(known[279], null);
    assert.equal(known[1], "Primary");
    assert.equal(known[own.typeId], "Advisor");
  });
  await step("associations.labels use", async () => {
    await v4.basicApi.create("contacts", c1, "companies", o1, [spec(own.typeId, "USER_DEFINED")]);
    const [row] = await of(c1);
    assert.ok(numbers(row).includes(own.typeId));
    assert.ok(row.associationTypes.some((t) => t.label === "Advisor" && t.category === "USER_DEFINED"));
  });
  await step("associations.labels update and remove", async () => {
    const change = { associationTypeId: own.typeId, label: "Consultant" };
    await definitionsApi.update("contacts", "companies", change);
    const all = (await definitionsApi.getAll("contacts", "companies")).results;
    assert.equal(all.find((m) => m.typeId === own.typeId).label, "Consultant");
    await definitionsApi.remove("contacts", "companies", own.typeId);
    const left = (await definitionsApi.getAll("contacts", "companies")).results;
    assert.ok(!left.some((m) => m.typeId === own.typeId));
  });
}

async function older(api, typesApi, { c1, c2, o2, of }) {
  const input = { _from: { id: c2 }, to: { id: o2 }, type: "contact_to_company" };
  await step("associations.v3 types", async () => {
    const found = (await typesApi.getAll("contacts", "companies")).results;
    assert.ok(found.some((t) => t.id === "1" && t.name === "contact_to_company"), JSON.stringify(found));
    assert.ok(found.some((t) => t.id === "279"));
  });
  await step("associations.v3 batch create", async () => {
    const [made] = (await api.create("contacts", "companies", { inputs: [input] })).results;
    assert.deepEqual([made._from.id, made.to.id, made.type], [c2, o2, "contact_to_company"]);
  });
  await step("associations.v3 batch read", async () => {
    const found = await api.read("contacts", "companies", { inputs: [{ id: c2 }] });
    assert.equal(found.results[0]._from.id, c2);
    assert.ok(found.results[0].to.some((t) => t.id === o2 && /^contact_to_company/.test(t.type)));
    assert.equal((await api.read("contacts", "deals", { inputs: [{ id: c1 }] })).numErrors, 1);
  });
  await step("associations.v3 batch archive", async () => {
    await api.archive("contacts", "companies", { inputs: [input] });
    assert.deepEqual(await of(c2), []);
  });
}

async function withRecords(crm, o1) {
  await step("associations of records", async () => {
    const made = await crm.contacts.basicApi.create({
      properties: { email: "with@node.example" },
      associations: [{ to: { id: o1 }, types: [spec(279)] }],
    });
    const found = await crm.contacts.basicApi.getById(made.id, undefined, undefined, ["companies"]);
    const rows = found.associations.companies.results;
    assert.ok(rows.every((r) => r.id === o1) && rows.length >= 1);
    assert.match(rows[0].type, /^contact_to_company/);
    const page = await crm.contacts.basicApi.getPage(100, undefined, undefined, undefined, ["companies"]);
    assert.ok(page.results.find((r) => r.id === made.id).associations.companies);
    const note = await crm.objects.notes.basicApi.create({
      properties: { hs_timestamp: "2026-11-01T10:00:00Z", hs_note_body: "About" },
      associations: [{ to: { id: made.id }, types: [spec(202)] }],
    });
    const noted = await crm.objects.notes.basicApi.getById(note.id, undefined, undefined, ["contacts"]);
    assert.equal(noted.associations.contacts.results[0].id, made.id);
    const deal = await crm.deals.basicApi.create({
      properties: { dealname: "With", pipeline: "default", dealstage: "closedwon" },
      associations: [{ to: { id: made.id }, types: [spec(3)] }, { to: { id: o1 }, types: [spec(5)] }],
    });
    const dealt = await crm.deals.basicApi.getById(deal.id, undefined, undefined, ["contacts", "companies"]);
    assert.deepEqual(Object.keys(dealt.associations).sort(), ["companies", "contacts"]);
  });
}
