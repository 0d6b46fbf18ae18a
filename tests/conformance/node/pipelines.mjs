// Pipelines, their stages, and owners.

import assert from "node:assert/strict";
import { recent, refused, step } from "./harness.mjs";

const stage = (label, displayOrder, probability) => ({ label, displayOrder, metadata: { probability } });

export async function pipelines({ crm }) {
  const { pipelinesApi, pipelineStagesApi } = crm.pipelines;
  let made;
  await step("pipelines.getAll", async () => {
    const [standard] = (await pipelinesApi.getAll("deals")).results;
    assert.equal(standard.id, "default");
    const ids = standard.stages.map((s) => s.id);
    assert.equal(ids[0], "appointmentscheduled");
    assert.ok(ids.includes("closedwon") && ids.includes("closedlost"));
    const won = standard.stages.find((s) => s.id === "closedwon");
    assert.equal(won.metadata.isClosed, "true");
    assert.equal(Number(won.metadata.probability), 1);
    const [tickets] = (await pipelinesApi.getAll("tickets")).results;
    assert.equal(tickets.id, "0");
    assert.deepEqual(tickets.stages.map((s) => s.id), ["1", "2", "3", "4"]);
  });
  await step("pipelines.create", async () => {
    const stages = [stage("Open", 0, "0.2"), stage("Done", 1, "1.0")];
    made = await pipelinesApi.create("deals", { label: "Node", displayOrder: 2, stages });
    assert.deepEqual(made.stages.map((s) => s.label), ["Open", "Done"]);
    assert.equal(made.displayOrder, 2);
    recent(made.createdAt, "createdAt");
    recent(made.stages[0].updatedAt, "updatedAt");
    assert.equal((await pipelinesApi.getById("deals", made.id)).label, "Node");
    await refused(() => pipelinesApi.getById("deals", "no_such"), 404);
  });
  await step("pipelines.update and replace", async () => {
    assert.equal((await pipelinesApi.update("deals", made.id, { label: "Renamed" })).label, "Renamed");
    const wanted = { label: "Replaced", displayOrder: 5, stages: [stage("Only", 0, "0.5")] };
    const replaced = await pipelinesApi.replace("deals", made.id, wanted);
    assert.deepEqual([replaced.id, replaced.label, replaced.stages.length], [made.id, "Replaced", 1]);
  });
  await stages(pipelineStagesApi, () => made.id);
  await step("pipelines.used by records", async () => {
    const [first] = (await pipelineStagesApi.getAll("deals", made.id)).results;
    const properties = { dealname: "Staged", pipeline: made.id, dealstage: first.id };
    const deal = await crm.deals.basicApi.create({ properties, associations: [] });
    assert.equal(deal.properties.dealstage, first.id);
    const wrong = { dealname: "Staged", pipeline: "default", dealstage: "no_such_stage" };
    await refused(() => crm.deals.basicApi.create({ properties: wrong }), 400, /is not a valid pipeline stage ID/);
    await crm.deals.basicApi.archive(deal.id);
  });
  await step("pipelines.archive", async () => {
    await pipelinesApi.archive("deals", made.id);
    await refused(() => pipelinesApi.getById("deals", made.id), 404);
  });
  await owners(crm.owners.ownersApi);
}

async function stages(api, pipeline) {
  let made;
  await step("stages.create", async () => {
    made = await api.create("deals", pipeline(), stage("Later", 1, "0.4"));
    assert.equal(made.metadata.probability, "0.4");
    assert.equal((await api.getAll("deals", pipeline())).results.length, 2);
    assert.equal((await api.getById("deals", pipeline(), made.id)).label, "Later");
  });
  await step("stages.update and replace", async () => {
    const change = { label: "Soon", metadata: { probability: "0.6" } };
    const changed = await api.update("deals", pipeline(), made.id, change);
    assert.deepEqual([changed.label, changed.metadata.probability], ["Soon", "0.6"]);
    const replaced = await api.replace("deals", pipeline(), made.id, stage("Now", 3, "0.9"));
    assert.deepEqual([replaced.id, replaced.label, replaced.displayOrder], [made.id, "Now", 3]);
  });
  await step("stages.archive", async () => {
    await api.archive("deals", pipeline(), made.id);
    await refused(() => api.getById("deals", pipeline(), made.id), 404);
  });
}

async function owners(api) {
  await step("owners", async () => {
    const all = (await api.getPage()).results;
    assert.ok(all.length >= 2);
    assert.equal(all[0].type, "PERSON");
    assert.ok(all[0].createdAt instanceof Date);
    const first = await api.getPage(undefined, undefined, 1);
    const second = await api.getPage(undefined, first.paging.next.after, 1);
    assert.notEqual(first.results[0].id, second.results[0].id);
    assert.deepEqual((await api.getPage(all[0].email)).results.map((o) => o.id), [all[0].id]);
    assert.equal((await api.getById(Number(all[0].id))).email, all[0].email);
    assert.equal((await api.getById(all[0].userId, "userId")).id, all[0].id);
    assert.deepEqual((await api.getPage(undefined, undefined, 10, true)).results, []);
    await refused(() => api.getById(99999999), 404);
  });
}
