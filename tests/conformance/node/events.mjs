// Custom events: definitions (which the client has no typed API for), sending, reading.

import assert from "node:assert/strict";
import { refused, step } from "./harness.mjs";

/** An untyped call through the client, whose answer must have this status; the body is returned. */
export async function call(client, method, path, { body, qs, status = 200 } = {}) {
  const answer = await client.apiRequest({ method, path, body, qs });
  const text = await answer.text();
  assert.equal(answer.status, status, `${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : undefined;
}

export async function events(hubspot, client) {
  const path = "/events/v3/event-definitions";
  let name;
  await step("event definitions", async () => {
    const wanted = {
      label: "Node bought", name: "node_bought", primaryObject: "CONTACT", includeDefaultProperties: true,
      propertyDefinitions: [{ name: "sku", label: "SKU", type: "string" }],
    };
    const made = await call(client, "POST", path, { body: wanted, status: 201 });
    name = made.fullyQualifiedName;
    assert.match(name, /^pe\d+_node_bought$/);
    assert.match(made.objectTypeId, /^6-\d+$/);
    await call(client, "POST", path, { body: wanted, status: 409 });
    await call(client, "POST", `${path}/${name}/property`, {
      body: { name: "amount", label: "Amount", type: "number" }, status: 201,
    });
    await call(client, "PATCH", `${path}/${name}/property/amount`, { body: { label: "Sum" }, status: 201 });
    await call(client, "PATCH", `${path}/${name}`, { body: { label: "Purchase" }, status: 201 });
    const found = await call(client, "GET", `${path}/${name}`, { qs: { includeProperties: "true" } });
    assert.equal(found.labels?.singular ?? found.label, "Purchase");
    assert.ok(found.properties.some((p) => p.name === "amount" && p.label === "Sum"));
    const listed = await call(client, "GET", path, { qs: { searchString: "node_b" } });
    assert.equal(listed.results.length, 1);
  });
  await sending(hubspot, () => name);
  await reading(hubspot, () => name);
  await step("event definitions delete", async () => {
    await call(client, "DELETE", `${path}/${name}/property/amount`, { status: 204 });
    await call(client, "DELETE", `${path}/${name}`, { status: 204 });
    await call(client, "GET", `${path}/${name}`, { status: 404 });
    await call(client, "POST", path, { body: { label: "Again", name: "node_bought" }, status: 409 });
  });
}

async function sending({ crm, events: { send } }, name) {
  await step("events.send", async () => {
    const { id } = await crm.contacts.basicApi.create({ properties: { email: "buyer@node.example" }, associations: [] });
    const occurredAt = new Date("2026-11-02T10:00:00Z");
    const event = { eventName: name(), properties: { sku: "A1", amount: "3" }, occurredAt, uuid: "node-1" };
    await send.basicApi.send({ ...event, email: "buyer@node.example" });
    await send.basicApi.send({ ...event, email: "buyer@node.example" });
    await send.basicApi.send({ ...event, objectId: id, uuid: "node-2", occurredAt: new Date("2026-11-03T10:00:00Z") });
    await refused(() => send.basicApi.send({ ...event, eventName: "pe1_no_such", email: "x@node.example" }), 404);
    await refused(() => send.basicApi.send({ eventName: name(), properties: {} }), 400);
    const unknown = { ...event, uuid: "node-3", email: "buyer@node.example", properties: { nope: "1" } };
    await refused(() => send.basicApi.send(unknown), 400);
  });
  await step("events.send batch", async () => {
    const one = { eventName: name(), email: "buyer@node.example", occurredAt: new Date("2026-11-04T10:00:00Z") };
    const inputs = [3, 4].map((n) => ({ ...one, properties: { sku: `B${n}` }, uuid: `node-b${n}` }));
    await send.batchApi.send({ inputs });
    await refused(() => send.batchApi.send({ inputs: Array(501).fill(one) }), 400);
  });
}

async function reading({ crm, events: { eventsApi } }, name) {
  await step("events.getPage", async () => {
    const { id } = await crm.contacts.basicApi.getById("buyer@node.example", ["email"], undefined, undefined, false, "email");
    const read = (...rest) => eventsApi.getPage("contact", name(), ...rest);
    const all = (await read(undefined, undefined, 100, undefined, undefined, undefined, Number(id))).results;
    assert.equal(all.length, 4, "the repeated uuid counts once");
    assert.ok(all.every((e) => e.eventType === name() && e.objectId === id));
    const first = all.find((e) => e.properties.sku === "A1" && e.occurredAt.getTime() === Date.parse("2026-11-02T10:00:00Z"));
    assert.equal(first.properties.amount, "3");
    const page = await read(undefined, undefined, 3, undefined, undefined, undefined, Number(id));
    assert.equal(page.results.length, 3);
    const next = await read(page.paging.next.after, undefined, 3, undefined, undefined, undefined, Number(id));
    assert.equal(next.results.length, 1);
    const after = new Date("2026-11-02T12:00:00Z");
    const before = new Date("2026-11-03T12:00:00Z");
    const between = await read(undefined, undefined, 10, undefined, after, before, Number(id));
    assert.equal(between.results.length, 1);
  });
  await step("events.getTypes", async () => {
    assert.ok((await eventsApi.getTypes()).eventTypes.includes(name()));
  });
}
