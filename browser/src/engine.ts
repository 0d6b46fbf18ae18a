/** Values of events as JavaScript has them, and paths into them: what mappings and triggers share. */

// JSON from outside is whatever it is; every use looks first.
export type Json = any;
export type Fields = Record<string, Json>;

export const { isArray } = Array;
export const { keys, assign } = Object;
export const isText = (value: Json): value is string => typeof value === "string";
export const isFields = (value: Json): value is Fields => !!value && typeof value === "object" && !isArray(value);

export const fail = (): never => {
  throw 0;
};

/** A value as a template prints it. */
export const text = (value: Json): string =>
  value == null ? "" : isArray(value) ? value.map(text).join() : isFields(value) ? "[object Object]" : `${value}`;

export const orNull = (value: Json): Json => (value === undefined ? null : value);

/** Nested objects and arrays as one object with joined keys. */
export const flatten = (value: Json, joint: string, omitArrays?: boolean, prefix = "", found: Fields = {}): Fields => {
  if (isFields(value) || (isArray(value) && !(omitArrays && prefix)))
    for (const key of keys(value))
      flatten((value as Fields)[key], joint, omitArrays, prefix ? prefix + joint + key : key, found);
  else found[prefix] = value;
  return found;
};

/** One key of a value. Text is its characters as the server counts them, not UTF-16 units. */
const step = (at: Json, key: string): Json => {
  if (isText(at)) at = [...at];
  return {}.hasOwnProperty.call(at, key) ? at[key] : undefined;
};

/** The keys of a path: split at dots, at `[` before a digit or a quote, and at `]`. */
export const steps = (path: string): string[] =>
  path
    .replace("$.", "")
    .split(/\.|\[(?=[\d'"])|]/)
    .filter(Boolean)
    .map((part) => part.replace(/^(['"])([^]*)\1$/, "$2"));

/** The value at the keys; what JavaScript takes for false ends the walk and is the result. */
export const get = (at: Json, path: string[]): Json => path.reduce((inner, key) => inner && step(inner, key), at);
