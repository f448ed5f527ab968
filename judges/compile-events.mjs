// Compiles the JSON Schemas of events that are named and holds their examples to them:
// `node compile-events.mjs FILE…`. An example without one of its required members, or of another
// type, must be refused: a schema that takes anything says nothing.
// Exits 1 where a schema is wrong, 2 where there was none.
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

function faults(schema) {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false });
  addFormats(ajv);
  const check = ajv.compile(schema);
  const found = [];
  for (const [at, example] of (schema.examples ?? []).entries()) {
    if (!check(example)) {
      found.push(`example ${at}: ${ajv.errorsText(check.errors)}`);
    }
    const wrong = { type: { ...example, type: "another.v1" } };
    for (const name of schema.required) {
      const { [name]: _, ...rest } = example;
      wrong[`no ${name}`] = rest;
    }
    for (const name of schema.properties.data.required ?? []) {
      const { [name]: _, ...data } = example.data;
      wrong[`no data.${name}`] = { ...example, data };
    }
    const taken = Object.keys(wrong).filter((name) => check(wrong[name]));
    found.push(...taken.map((name) => `example ${at} is taken though wrong: ${name}`));
    if (!check({ ...example, data: { ...example.data, later: true } })) {
      found.push(`example ${at}: a member that comes later is refused`);
    }
  }
  return found;
}

let compiled = 0;
let refused = 0;
for (const file of process.argv.slice(2)) {
  let found;
  try {
    found = faults(JSON.parse(readFileSync(file, "utf8")));
  } catch (fault) {
    found = [fault.message];
  }
  found.forEach((fault) => console.error(`${file}: ${fault}`));
  if (found.length > 0) {
    refused += 1;
  } else {
    compiled += 1;
  }
}
console.log(`${compiled} schemas of events compiled, ${refused} refused`);
process.exit(refused > 0 ? 1 : compiled === 0 ? 2 : 0);
