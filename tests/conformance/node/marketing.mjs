// Forms, marketing emails, subscriptions, and OAuth tokens.

import assert from "node:assert/strict";
import { Client } from "@hubspot/api-client";
import { checked, refused, step } from "./harness.mjs";

export async function marketing({ marketing: { emails, forms }, communicationPreferences, oauth }, client, url) {
  await formsAndEmails(forms.formsApi, emails);
  await subscriptions(communicationPreferences);
  await tokens(oauth, client, url);
}

async function formsAndEmails(api, { marketingEmailsApi, statisticsApi }) {
  await step("forms", async () => {
    const [form] = (await api.getPage()).results;
    assert.equal(form.formType, "hubspot");
    assert.ok(form.createdAt instanceof Date);
    const fields = form.fieldGroups.flatMap((g) => g.fields);
    assert.equal(fields.find((f) => f.name === "email").fieldType, "email");
    assert.equal((await api.getById(form.id)).name, form.name);
    await refused(() => api.getById("00000000-0000-4000-8000-000000000000"), 404);
  });
  await step("marketing emails", async () => {
    const page = await marketingEmailsApi.getPage();
    assert.equal(page.total, page.results.length);
    const [email] = page.results;
    assert.equal(email.state, "PUBLISHED");
    assert.ok(email._from.fromName);
    assert.ok(email.publishDate instanceof Date);
    assert.equal((await marketingEmailsApi.getById(email.id)).subject, email.subject);
    await refused(() => marketingEmailsApi.getById("99999999"), 404);
  });
  await step("marketing email statistics", async () => {
    const found = await statisticsApi.getEmailsList("2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z");
    assert.equal(typeof found.aggregate.counters.sent, "number");
    assert.ok(found.emails.length >= 1);
  });
}

async function subscriptions({ definitionApi, statusApi }) {
  const emailAddress = "reader@node.example";
  let id;
  await step("subscriptions.definitions", async () => {
    const [first] = (await definitionApi.getPage()).subscriptionDefinitions;
    id = first.id;
    assert.equal(first.isActive, true);
    assert.ok(first.createdAt instanceof Date);
  });
  await step("subscriptions.status", async () => {
    const status = async () => {
      const found = await statusApi.getEmailStatus(emailAddress);
      assert.equal(found.recipient, emailAddress);
      return found.subscriptionStatuses.find((s) => s.id === id).status;
    };
    assert.equal(await status(), "NOT_SUBSCRIBED");
    const wanted = {
      emailAddress, subscriptionId: id, legalBasis: "CONSENT_WITH_NOTICE", legalBasisExplanation: "Asked by Node",
    };
    assert.equal((await statusApi.subscribe(wanted)).status, "SUBSCRIBED");
    assert.equal(await status(), "SUBSCRIBED");
    assert.equal((await statusApi.unsubscribe(wanted)).status, "NOT_SUBSCRIBED");
    assert.equal(await status(), "NOT_SUBSCRIBED");
    await refused(() => statusApi.subscribe(wanted), 400);
    await refused(() => statusApi.getEmailStatus("no address"), 400);
  });
}

async function tokens({ tokensApi, accessTokensApi, refreshTokensApi }, client, url) {
  const [id, secret, back] = ["sandbox-client", "sandbox-secret", "http://localhost:1/back"];
  let made;
  await step("oauth.consent and code", async () => {
    const consent = new URL(client.oauth.getAuthorizationUrl(id, back, "crm.objects.contacts.read", undefined, "s1"));
    const page = await fetch(`${url}${consent.pathname}${consent.search}`);
    assert.match(await page.text(), /crm\.objects\.contacts\.read/);
    const answer = await fetch(`${url}${consent.pathname}${consent.search}&approve=1`, { redirect: "manual" });
    const target = new URL(answer.headers.get("location"));
    assert.equal(target.searchParams.get("state"), "s1");
    made = await tokensApi.create("authorization_code", target.searchParams.get("code"), back, id, secret);
    assert.equal(made.tokenType, "bearer");
    assert.equal(made.expiresIn, 1800);
    assert.ok(made.refreshToken);
  });
  await step("oauth.access token", async () => {
    const info = await accessTokensApi.get(made.accessToken);
    assert.equal(info.token, made.accessToken);
    assert.equal(info.tokenType, "access");
    assert.ok(info.expiresIn > 1700 && info.expiresIn <= 1800);
    assert.ok(info.scopes.includes("crm.objects.contacts.read"));
    const other = checked(new Client({ accessToken: made.accessToken, basePath: url }));
    assert.ok((await other.crm.owners.ownersApi.getPage()).results.length);
    const denied = await refused(
      () => other.crm.contacts.basicApi.create({ properties: { email: "no@node.example" }, associations: [] }),
      403, undefined, "MISSING_SCOPES",
    );
    assert.match(JSON.stringify(denied.body), /crm\.objects\.contacts\.write/);
  });
  await step("oauth.refresh token", async () => {
    const fresh = await tokensApi.create("refresh_token", undefined, undefined, id, secret, made.refreshToken);
    assert.notEqual(fresh.accessToken, made.accessToken);
    const info = await refreshTokensApi.get(made.refreshToken);
    assert.equal(info.clientId, id);
    assert.equal(info.hubId, (await accessTokensApi.get(fresh.accessToken)).hubId);
    await refreshTokensApi.archive(made.refreshToken);
    await assert.rejects(
      () => tokensApi.create("refresh_token", undefined, undefined, id, secret, made.refreshToken),
      (error) => error.code === 400 && error.body.status === "BAD_REFRESH_TOKEN",
    );
    await assert.rejects(() => tokensApi.create("authorization_code", "none", back, id, secret), { code: 400 });
  });
}
