// Steps that print one JSON line each, and the client behind a proxy that checks every typed answer.

import assert from "node:assert/strict";
import { problems } from "./typed.mjs";

let failed = 0;

/** One named step; the next ones run whatever it ends with. */
export async function step(name, work) {
  try {
    await work();
    console.log(JSON.stringify({ step: name, ok: true }));
  } catch (error) {
    failed += 1;
    const text = String(error?.message ?? error).slice(0, 1500);
    console.log(JSON.stringify({ step: name, ok: false, error: text }));
  }
}

/** How many steps failed. */
export const failures = () => failed;

/** The same client: whatever its API objects answer is compared with the client's own typings. */
export function checked(target) {
  return new Proxy(target, {
    get(object, name) {
      const value = object[name];
      if (typeof value === "function" && typeof name === "string" && /^Promise\w*Api$/.test(object.constructor.name)) {
        return async (...given) => conforming(await value.apply(object, given), `${object.constructor.name}.${name}`);
      }
      if (typeof value === "function") return value.bind(object);
      const walkable = value !== null && typeof value === "object" && typeof name === "string";
      return walkable && name !== "config" ? checked(value) : value;
    },
  });
}

function conforming(answer, where) {
  const found = problems(answer);
  assert.deepEqual(found, [], `${where} does not answer as its typings say`);
  return answer;
}

/** The call must fail as HubSpot's client fails: ApiException with code and body. */
export async function refused(call, code, pattern, category) {
  let caught;
  try {
    await call();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught, `nothing was thrown, expected HTTP ${code}`);
  assert.equal(caught.constructor.name, "ApiException", String(caught));
  assert.equal(caught.code, code, `${caught.code}: ${JSON.stringify(caught.body)}`);
  assert.equal(caught.body.status, "error");
  assert.match(caught.body.correlationId, /^[0-9a-f-]{36}$/);
  if (pattern) assert.match(caught.body.message, pattern);
  if (category) assert.equal(caught.body.category, category);
  return caught;
}

/** A real moment of today, parsed to a Date. */
export function recent(value, what = "date") {
  assert.ok(value instanceof Date, `${what} is ${typeof value}, not a Date`);
  assert.ok(Math.abs(Date.now() - value.getTime()) < 600_000, `${what} is ${value.toISOString()}`);
}

/** The ids of some results, in order. */
export const ids = (results) => results.map((r) => r.id).sort();
