// Lists: definitions, memberships, mapping of legacy ids.

import assert from "node:assert/strict";
import { recent, refused, step } from "./harness.mjs";

export async function lists({ crm }) {
  const { listsApi, membershipsApi, mappingApi } = crm.lists;
  const people = await Promise.all(
    [1, 2, 3].map((n) => crm.contacts.basicApi.create({ properties: { email: `l${n}@node.example` }, associations: [] })),
  );
  const [a, b, c] = people.map((p) => p.id);
  const make = (name, processingType = "MANUAL") => listsApi.create({ name, objectTypeId: "0-1", processingType });
  let list;
  await step("lists.create", async () => {
    ({ list } = await make("Node list"));
    assert.equal(list.name, "Node list");
    assert.equal(list.processingType, "MANUAL");
    assert.equal(list.objectTypeId, "0-1");
    assert.equal(list.size ?? 0, 0);
    recent(list.createdAt, "createdAt");
    const twice = await refused(() => make("Node list"), 400);
    assert.equal(twice.body.subCategory, "ILS.DUPLICATE_LIST_NAMES");
  });
  await definitions(listsApi, () => list);
  await step("lists.memberships add", async () => {
    const done = await membershipsApi.add(list.listId, [a, b, "99999999"]);
    assert.deepEqual(done.recordsIdsAdded.map(String).sort(), [a, b].sort());
    assert.deepEqual(done.recordIdsMissing, ["99999999"]);
    assert.deepEqual((await membershipsApi.add(list.listId, [a])).recordsIdsAdded, []);
  });
  await step("lists.memberships getPage", async () => {
    const page = await membershipsApi.getPage(list.listId, undefined, undefined, 1);
    assert.equal(page.results.length, 1);
    recent(page.results[0].membershipTimestamp, "membershipTimestamp");
    const next = await membershipsApi.getPage(list.listId, page.paging.next.after, undefined, 1);
    assert.deepEqual([page.results[0].recordId, next.results[0].recordId].sort(), [a, b].sort());
    assert.equal((await listsApi.getById(list.listId)).list.size, 2);
  });
  await step("lists.memberships addAndRemove", async () => {
    const change = { recordIdsToAdd: [c], recordIdsToRemove: [a] };
    const done = await membershipsApi.addAndRemove(list.listId, change);
    assert.deepEqual([done.recordsIdsAdded, done.recordIdsRemoved], [[c], [a]]);
    assert.deepEqual((await membershipsApi.remove(list.listId, [b])).recordIdsRemoved, [b]);
  });
  await step("lists.memberships getLists", async () => {
    const found = (await membershipsApi.getLists("0-1", c)).results;
    assert.deepEqual(found.map((f) => f.listId), [list.listId]);
    recent(found[0].firstAddedTimestamp, "firstAddedTimestamp");
  });
  await step("lists.memberships addAllFromList and removeAll", async () => {
    const { list: other } = await make("Node copy", "SNAPSHOT");
    await membershipsApi.addAllFromList(other.listId, list.listId);
    assert.deepEqual((await membershipsApi.getPage(other.listId)).results.map((r) => r.recordId), [c]);
    await membershipsApi.removeAll(other.listId);
    assert.deepEqual((await membershipsApi.getPage(other.listId)).results, []);
    const { list: dynamic } = await make("Node dynamic", "DYNAMIC");
    await refused(() => membershipsApi.add(dynamic.listId, [a]), 400);
  });
  await mapping(mappingApi, () => list);
  await step("lists.remove and restore", async () => {
    await listsApi.remove(list.listId);
    await refused(() => listsApi.getById(list.listId), 404);
    await listsApi.restore(list.listId);
    assert.equal((await listsApi.getById(list.listId)).list.listId, list.listId);
    await refused(() => listsApi.getById("99999999"), 404);
  });
}

async function definitions(api, list) {
  await step("lists.getById, getByName, getAll", async () => {
    const { listId } = list();
    assert.equal((await api.getById(listId, false)).list.listId, listId);
    assert.equal((await api.getByName("Node list", "0-1")).list.listId, listId);
    assert.deepEqual((await api.getAll([listId])).lists.map((l) => l.listId), [listId]);
    await refused(() => api.getByName("No such list", "0-1"), 400, /List does not exist with name No such list/);
  });
  await step("lists.doSearch", async () => {
    const found = await api.doSearch({ query: "node li", processingTypes: ["MANUAL"], count: 20, offset: 0 });
    assert.equal(found.total, 1);
    assert.equal(found.hasMore, false);
    assert.equal(found.lists[0].listId, list().listId);
    const size = await api.doSearch({ query: "node li", additionalProperties: ["hs_list_size"] });
    assert.equal(size.lists[0].additionalProperties.hs_list_size, "0");
  });
  await step("lists.updateName", async () => {
    const { updatedList } = await api.updateName(list().listId, "Node renamed");
    assert.equal(updatedList.name, "Node renamed");
    await api.updateName(list().listId, "Node list");
  });
}

async function mapping(api, list) {
  await step("lists.mapping", async () => {
    const { listId } = list();
    const one = await api.translateLegacyListIdToListId(listId);
    assert.equal(one.listId, listId);
    const some = await api.translateLegacyListIdToListIdBatch([listId, "99999999"]);
    assert.deepEqual(some.legacyListIdsToIdsMapping.map((m) => m.listId), [listId]);
    assert.deepEqual(some.missingLegacyListIds, ["99999999"]);
  });
}
