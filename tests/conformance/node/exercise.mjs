// HubSpot's own Node client, unmodified, against the sandbox: node exercise.mjs http://127.0.0.1:PORT
// One JSON line for each step; exit code 1 when one of them failed.

import { Client } from "@hubspot/api-client";
import { associations } from "./associations.mjs";
import { events } from "./events.mjs";
import { checked, failures } from "./harness.mjs";
import { lists } from "./lists.mjs";
import { marketing } from "./marketing.mjs";
import { objects } from "./objects.mjs";
import { pipelines } from "./pipelines.mjs";
import { schema } from "./schema.mjs";
import { transport } from "./transport.mjs";
import { untyped } from "./untyped.mjs";
import { webhooks } from "./webhooks.mjs";

const url = process.argv[2];
const client = new Client({ accessToken: "sandbox-token", basePath: url });
const hubspot = checked(client);

await schema(hubspot);
await objects(hubspot);
await associations(hubspot);
await lists(hubspot);
await pipelines(hubspot);
await events(hubspot, client);
await marketing(hubspot, client, url);
await webhooks(hubspot, url);
await untyped(client);
await transport(url);

process.exit(failures() ? 1 : 0);
