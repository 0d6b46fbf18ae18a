// Tokens that are refused, limits and broken servers: what the client's own retries make of them.

import assert from "node:assert/strict";
import { Client } from "@hubspot/api-client";
import { refused, step } from "./harness.mjs";

export async function transport(url) {
  await step("unknown token", async () => {
    const { crm } = new Client({ accessToken: "nobody", basePath: url });
    await refused(() => crm.contacts.basicApi.getPage(), 401, /Authentication credentials not found/, "INVALID_AUTHENTICATION");
  });
  const fault = (one) => fetch(`${url}/_sandbox/faults`, { method: "POST", body: JSON.stringify(one) });
  await step("429 as the client knows it", async () => {
    await fault({ kind: "status", status: 429, policy: "SECONDLY", path: "/owners", times: 1 });
    const { crm } = new Client({ accessToken: "sandbox-token", basePath: url });
    const error = await refused(() => crm.owners.ownersApi.getPage(), 429, /^You have reached your secondly limit\.$/);
    assert.equal(error.body.policyName, "SECONDLY");
    assert.equal(error.body.errorType, "RATE_LIMIT");
  });
  await step("retries", async () => {
    await fault({ kind: "status", status: 502, path: "/owners", times: 1 });
    await fault({ kind: "status", status: 429, policy: "SECONDLY", path: "/owners", times: 2 });
    const { crm } = new Client({ accessToken: "sandbox-token", basePath: url, numberOfApiCallRetries: 4 });
    const started = Date.now();
    assert.ok((await crm.owners.ownersApi.getPage()).results.length);
    assert.ok(Date.now() - started >= 1000, "it waited as for a limit of one second");
  });
}
