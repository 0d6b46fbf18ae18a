// Evaluates JSON lines for the differential run of tests/e2e/test_browser_plugin.py: one answer line for each.
// {"tree": …, "event": …} or {"mapping": …, "event": …} → {"output": …}, {} when undefined, {"error": true}.

import { createInterface } from "node:readline";

import { load, stop } from "../bundle.mjs";

const { evaluate, holds } = await load(
  'import "./language"; export { evaluate } from "./mapping"; export { holds } from "./trigger";',
);
await stop();

const answers = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { tree, mapping, event } = JSON.parse(line);
  try {
    answers.push(JSON.stringify({ output: tree === undefined ? evaluate(mapping, event) : holds(tree, event) }));
  } catch {
    answers.push('{"error":true}');
  }
}
process.stdout.write(answers.join("\n"));
