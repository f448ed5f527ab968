// Holds what a running backend told to the JSON Schemas beside its example, and to the CloudEvents
// SDK and Standard Webhooks of JavaScript: `node hold-events.mjs SCHEMAS FILE`, where FILE is what
// `told.py` wrote: a line of JSON for each message, with `where`, `headers`, `body`, and the `secret`
// of a delivery. Exits 1 where one is refused, 2 where a schema was told nothing of.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

const [folder, file] = process.argv.slice(2);
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false });
addFormats(ajv);
const checks = new Map(
  readdirSync(folder).map((name) => {
    const schema = JSON.parse(readFileSync(join(folder, name), "utf8"));
    return [schema.properties.type.const, ajv.compile(schema)];
  }),
);

// The event as one object, whichever mode it came in; throws where someone refuses it.
function held({ headers, body, secret }) {
  const event = HTTP.toEvent({ headers, body });
  event.validate();
  // The SDK reads what it is given: a missing moment would become that of the reading.
  const { data, ...attributes } = headers["ce-id"] ? event.toJSON() : JSON.parse(body);
  for (const name of ["id", "source", "type", "time", "subject", "traceparent"]) {
    // A moment is read to the millisecond.
    const plain = (value) => (name === "time" ? Date.parse(value) : value);
    if (!attributes[name] || plain(event[name]) !== plain(attributes[name])) {
      throw new Error(`${name}: ${attributes[name]} was read as ${event[name]}`);
    }
  }
  const check = checks.get(event.type);
  if (!check) {
    throw new Error(`no schema stands for ${event.type}`);
  }
  // The attribute that NATS alone has is not part of the JSON format.
  const { aggregate, ...rest } = attributes;
  if (!check({ ...rest, data })) {
    throw new Error(ajv.errorsText(check.errors));
  }
  if (secret) {
    new Webhook(secret).verify(body, headers);
  }
  return event.type;
}

const counts = new Map();
const types = new Set();
let refused = 0;
let proved = 0;
for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
  const message = JSON.parse(line);
  try {
    types.add(held(message));
    counts.set(message.where, (counts.get(message.where) ?? 0) + 1);
    proved += message.secret ? 1 : 0;
  } catch (fault) {
    refused += 1;
    console.error(`${message.where}: ${fault.message}\n  ${message.body}`);
  }
}
const silent = [...checks.keys()].filter((type) => !types.has(type));
silent.forEach((type) => console.error(`nothing was told of ${type}`));
const each = [...counts].map(([where, count]) => `${count} of ${where}`).join(", ");
console.log(`events held to ${checks.size} schemas: ${each || "none"}; ${refused} refused`);
console.log(`${proved} deliveries verified by Standard Webhooks of JavaScript`);
process.exit(refused > 0 ? 1 : silent.length > 0 || checks.size === 0 || proved === 0 ? 2 : 0);
