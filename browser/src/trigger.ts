/** Triggers as the server compiled them to a JSON tree: `["=", ["$", "type"], "track"]`. */

import { get, isArray, isText, type Json } from "./engine";

export type Test = (...values: Json[]) => Json;

// What is not there is null.
const same = (a: Json, b: Json): boolean => (a == null ? b == null : a === b && typeof a !== "object");
const numbers =
  (test: Test): Test =>
  (a, b) =>
    typeof a === "number" && typeof b === "number" && test(a, b);
export const texts =
  (test: Test): Test =>
  (a, b) =>
    isText(a) && isText(b) && test(a, b);
export const ofText =
  (change: Test): Test =>
  (value) =>
    isText(value) ? change(value) : null;
const isTrue = (value: Json): boolean => value === true;

/** What a tree is made of, by name; `language.ts` brings the rest. An unknown name throws. */
export const FUNCTIONS: Record<string, Test> = {
  and: (...parts) => parts.every(isTrue),
  or: (...parts) => parts.some(isTrue),
  not: (part) => !isTrue(part),
  "=": same,
  "!=": (a, b) => !same(a, b),
  "<": numbers((a, b) => a < b),
  "<=": numbers((a, b) => a <= b),
  ">": numbers((a, b) => a > b),
  ">=": numbers((a, b) => a >= b),
  in: (a, ...options) => options.some((option) => same(a, option)),
  contains: (a, b) => (isArray(a) ? a.some((item) => same(item, b)) : texts((c) => c.includes(b))(a, b)),
  starts_with: texts((a, b) => a.startsWith(b)),
  ends_with: texts((a, b) => a.endsWith(b)),
  exists: (a) => a != null,
  length: (a) => (isText(a) || isArray(a) ? [...a].length : null),
  typeof: (a) => (a == null ? "null" : isArray(a) ? "array" : typeof a),
  lowercase: ofText((a) => a.toLowerCase()),
  uppercase: ofText((a) => a.toUpperCase()),
};

const valueOf = (node: Json, event: Json): Json => {
  if (!isArray(node)) return node;
  const [name, ...parts] = node;
  return name === "$" ? get(event, parts) : FUNCTIONS[name]!(...parts.map((part) => valueOf(part, event)));
};

/** Whether a tree holds for an event. */
export const holds = (tree: Json, event: Json): boolean => isTrue(valueOf(tree, event));
