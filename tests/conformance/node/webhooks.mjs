// Webhooks of an app: settings, subscriptions, and deliveries that the client's own Signature accepts.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Client, Signature } from "@hubspot/api-client";
import { checked, recent, refused, step } from "./harness.mjs";

const APP = 4711;
const SECRET = "sandbox-secret";

export async function webhooks(hubspot, url) {
  // These operations are authenticated by the developer's key alone.
  const { settingsApi, subscriptionsApi } = checked(new Client({ developerApiKey: "sandbox-token", basePath: url })).webhooks;
  const received = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.end();
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const targetUrl = `http://127.0.0.1:${server.address().port}/hooks`;
  await settings(settingsApi, targetUrl);
  const made = await subscriptions(subscriptionsApi);
  await delivery(hubspot, received, targetUrl);
  await step("webhooks.archive and clear", async () => {
    await subscriptionsApi.archive(Number(made.id), APP);
    await refused(() => subscriptionsApi.getById(Number(made.id), APP), 404);
    await settingsApi.clear(APP);
    await refused(() => settingsApi.getAll(APP), 404);
  });
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}

async function settings(api, targetUrl) {
  await step("webhooks.settings", async () => {
    await refused(() => api.getAll(APP), 404);
    const made = await api.configure(APP, { targetUrl, throttling: { maxConcurrentRequests: 5, period: "SECONDLY" } });
    assert.equal(made.targetUrl, targetUrl);
    assert.equal(made.throttling.maxConcurrentRequests, 5);
    recent(made.createdAt, "createdAt");
    assert.equal((await api.getAll(APP)).targetUrl, targetUrl);
  });
}

async function subscriptions(api) {
  let made;
  await step("webhooks.subscriptions", async () => {
    made = await api.create(APP, { eventType: "contact.creation", active: false });
    assert.deepEqual([made.eventType, made.active], ["contact.creation", false]);
    recent(made.createdAt, "createdAt");
    const change = await api.create(APP, { eventType: "contact.propertyChange", propertyName: "city", active: true });
    assert.equal(change.propertyName, "city");
    for (const eventType of ["product.creation", "line_item.deletion", "conversation.creation", "object.creation"]) {
      const more = eventType === "object.creation" ? { objectTypeId: "0-1" } : {};
      const other = await api.create(APP, { eventType, active: false, ...more });
      await api.archive(Number(other.id), APP);
    }
    assert.deepEqual((await api.getAll(APP)).results.map((s) => s.id).sort(), [made.id, change.id].sort());
    assert.equal((await api.getById(Number(made.id), APP)).id, made.id);
    assert.equal((await api.update(Number(made.id), APP, { active: true })).active, true);
    const batch = await api.updateBatch(APP, { inputs: [{ id: Number(made.id), active: true }] });
    assert.equal(batch.status, "COMPLETE");
    assert.equal(batch.results[0].active, true);
    await refused(() => api.create(APP, { eventType: "contact.nonsense", active: true }), 400);
  });
  return made;
}

async function delivery({ crm }, received, targetUrl) {
  await step("webhooks.delivery", async () => {
    const contact = { properties: { email: "hook@node.example" }, associations: [] };
    const { id } = await crm.contacts.basicApi.create(contact);
    await crm.contacts.basicApi.update(id, { properties: { city: "Bonn" } });
    const events = () => received.flatMap((r) => JSON.parse(r.body));
    for (let i = 0; i < 100 && events().length < 2; i += 1) await new Promise((done) => setTimeout(done, 50));
    const [made, changed] = ["contact.creation", "contact.propertyChange"].map((kind) =>
      events().find((e) => e.subscriptionType === kind),
    );
    assert.equal(made.objectId, Number(id));
    assert.equal(made.appId, APP);
    assert.deepEqual([changed.propertyName, changed.propertyValue], ["city", "Bonn"]);
    for (const { headers, body } of received) {
      const options = { clientSecret: SECRET, requestBody: body, url: targetUrl };
      assert.ok(Signature.isValid({ ...options, signature: headers["x-hubspot-signature"], signatureVersion: "v1" }));
      const timestamp = Number(headers["x-hubspot-request-timestamp"]);
      const v3 = { signature: headers["x-hubspot-signature-v3"], signatureVersion: "v3", method: "POST", timestamp };
      assert.ok(Signature.isValid({ ...options, ...v3 }));
    }
  });
}
