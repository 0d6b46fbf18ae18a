// What the client reaches only with apiRequest: it has no typed API for these paths.

import assert from "node:assert/strict";
import { call } from "./events.mjs";
import { step } from "./harness.mjs";

export async function untyped(client) {
  const get = (path, qs) => call(client, "GET", path, { qs });
  const post = (path, body, status = 200) => call(client, "POST", path, { body, status });
  await step("apiRequest account", async () => {
    for (const version of ["v3", "2026-03", "2026-09"]) {
      const details = await get(`/account-info/${version}/details`);
      assert.equal(typeof details.portalId, "number");
      assert.match(details.utcOffset, /^[+-]\d\d:\d\d$/);
      const [usage] = (await get(`/account-info/${version}/api-usage/daily/private-apps`)).results;
      assert.ok(usage.currentUsage > 0 && usage.usageLimit >= usage.currentUsage);
    }
    assert.ok((await get("/crm/v3/limits/custom-properties")).overallLimit);
    assert.ok((await get("/crm/v3/limits/records")).hubspotDefinedObjectTypes);
  });
  await step("apiRequest subscriptions v4", async () => {
    const base = "/communication-preferences/v4";
    const address = "v4@node.example";
    const [{ id }] = (await get(`${base}/definitions`)).results;
    const wanted = { subscriptionId: Number(id), statusState: "SUBSCRIBED", channel: "EMAIL" };
    assert.equal((await post(`${base}/statuses/${address}`, wanted)).results[0].status, "SUBSCRIBED");
    const known = (await get(`${base}/statuses/${address}`, { channel: "EMAIL" })).results;
    assert.equal(known.find((s) => String(s.subscriptionId) === id).status, "SUBSCRIBED");
    await post(`${base}/statuses/batch/write`, { inputs: [{ ...wanted, subscriberIdString: address }] });
    await post(`${base}/statuses/batch/read`, { inputs: [address] });
    await post(`${base}/statuses/batch/unsubscribe-all/read`, { inputs: [address] });
    await post(`${base}/statuses/batch/unsubscribe-all`, { inputs: [address] });
    await get(`${base}/statuses/${address}/unsubscribe-all`, { channel: "EMAIL" });
    await post(`${base}/statuses/${address}/unsubscribe-all`, undefined);
    const gone = (await get(`${base}/statuses/${address}`, { channel: "EMAIL" })).results;
    assert.ok(gone.every((s) => s.status === "UNSUBSCRIBED"));
  });
  await step("apiRequest labels under their other path", async () => {
    const path = "/crm/associations/v4/contacts/deals/labels";
    const [{ typeId }] = (await post(path, { name: "node_other", label: "Other" })).results;
    await call(client, "PUT", path, { body: { associationTypeId: typeId, label: "Changed" }, status: 204 });
    assert.equal((await get(path)).results.find((l) => l.typeId === typeId).label, "Changed");
    await call(client, "DELETE", `${path}/${typeId}`, { status: 204 });
    const inputs = [{ objectTypeId: "0-1", recordId: "1" }];
    assert.equal((await post("/crm/v3/lists/records/memberships/batch/read", { inputs })).status, "COMPLETE");
  });
  await step("apiRequest campaigns", async () => {
    const [campaign] = (await get("/marketing/v3/campaigns")).results;
    const path = `/marketing/v3/campaigns/${campaign.id}`;
    assert.equal((await get(path)).id, campaign.id);
    assert.ok((await get(`${path}/assets/MARKETING_EMAIL`)).results);
    assert.equal(typeof (await get(`${path}/reports/metrics`)).sessions, "number");
  });
  await step("apiRequest dated records", async () => {
    for (const version of ["2026-03", "2026-09"]) {
      const path = `/crm/objects/${version}/contacts`;
      const properties = { email: `dated${version}@node.example` };
      const made = await post(path, { properties }, 201);
      assert.equal((await get(`${path}/${made.id}`)).properties.email, properties.email);
      const inputs = [{ id: properties.email, idProperty: "email", properties: { city: "Ulm" } }];
      assert.equal((await post(`${path}/batch/upsert`, { inputs })).results[0].new, false);
      await call(client, "PATCH", `${path}/${made.id}`, { body: { properties: { city: "" } } });
      await call(client, "DELETE", `${path}/${made.id}`, { status: 204 });
    }
  });
  await step("apiRequest older forms", async () => {
    const contact = await post("/crm/v3/objects/contacts", { properties: { email: "old@node.example" } }, 201);
    const company = await post("/crm/v3/objects/companies", { properties: { name: "Old" } }, 201);
    const one = `/crm/v3/objects/companies/${company.id}/associations/contacts`;
    await call(client, "PUT", `${one}/${contact.id}/company_to_contact`);
    assert.equal((await get(one)).results[0].id, contact.id);
    assert.ok(Array.isArray((await get("/crm/v3/schemas")).results));
    const values = { properties: [{ property: "city", value: "Graz" }] };
    const { isNew } = await post("/contacts/v1/contact/createOrUpdate/email/old@node.example/", values);
    assert.equal(isNew, false);
    assert.ok(Array.isArray(await get("/properties/v1/contacts/properties")));
  });
}
