// The language: the vectors that the Python engine is held to as well.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { load, stop } from "../bundle.mjs";

const golden = (name) => JSON.parse(readFileSync(new URL(`../../tests/golden/${name}.json`, import.meta.url), "utf8"));
const { evaluate, holds } = await load(
  'import "./language"; export { evaluate } from "./mapping"; export { holds } from "./trigger";',
);
after(stop);

// As in tests/golden/test_segment_cases.py: recorded with an event that an earlier case had changed.
const SPOILT = new Set([278, 279, 367]);

/** A recorded value: left out of objects where it is undefined, null in arrays. */
function plain(value) {
  if (Array.isArray(value)) return value.map((item) => plain(item) ?? null);
  if (value === null || typeof value !== "object") return value;
  if (value.$undefined) return undefined;
  const made = Object.entries(value).map(([key, item]) => [key, plain(item)]);
  return Object.fromEntries(made.filter(([, item]) => item !== undefined));
}

/** What the server refuses in web mappings, or never ships: other directives, other shapes, extra keys. */
function shipped(mapping) {
  if (mapping === null || typeof mapping !== "object") return true;
  const keys = Object.keys(mapping);
  const directive = keys.find((key) => key.startsWith("@"));
  if (!Array.isArray(mapping) && directive && keys.some((key) => key !== directive && key !== "_metadata")) return false;
  if (keys.includes("@liquid") || keys.includes("__segment_internal_directive")) return false;
  return Object.values(mapping).every(shipped);
}

test("triggers: every shared vector", () => {
  const { events, vectors } = golden("triggers");
  for (const [expression, tree, names] of vectors) {
    const found = Object.keys(events).filter((name) => holds(tree, events[name]));
    assert.deepEqual(found, names, expression);
  }
  assert.ok(vectors.length > 40);
});

test("mappings: every recorded case that a page can be given", () => {
  const { cases, events } = golden("segment_mappings");
  let run = 0;
  cases.forEach(({ mapping, event, output, error }, number) => {
    if (SPOILT.has(number) || !mapping || typeof mapping !== "object" || Array.isArray(mapping)) return;
    // An error with a path is found before anything runs: the server does not ship such a mapping.
    if (error?.startsWith("/")) return;
    if (!shipped(mapping) || !events[event] || Array.isArray(events[event]) || typeof events[event] !== "object") return;
    let found;
    try {
      found = evaluate(plain(mapping), plain(events[event]) ?? {});
    } catch {
      assert.ok(error, `case ${number} fails`);
      run++;
      return;
    }
    assert.ok(!error, `case ${number} should fail: ${error}`);
    assert.deepEqual(plain(found), plain(output), `case ${number}`);
    run++;
  });
  assert.ok(run > 250, `${run} cases ran`);
});
