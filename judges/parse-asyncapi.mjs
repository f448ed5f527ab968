// Parses the AsyncAPI documents that are named, and holds the examples of their messages to the
// payloads (draft 7): `node parse-asyncapi.mjs FILE…`.
// Exits 1 where one is wrong, 2 where there was none to parse.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import addFormats from "ajv-formats";

/** Severity of a diagnostic that makes a document wrong; above it are warnings and hints. */
const ERROR = 0;

function* wrongExamples(document) {
  for (const message of document.messages().all()) {
    // The parser leaves marks of its own in a schema.
    const ajv = addFormats(new Ajv({ strict: false }));
    const check = ajv.compile(message.payload().json());
    for (const example of message.examples().all()) {
      if (!check(example.payload())) {
        yield `${message.id()}: its example: ${ajv.errorsText(check.errors)}`;
      }
      if (check({ ...example.payload(), type: "another.v1" })) {
        yield `${message.id()}: an example of another type is taken`;
      }
    }
  }
}

async function faults(text) {
  const { document, diagnostics } = await new Parser().parse(text);
  const errors = diagnostics.filter((one) => one.severity === ERROR);
  if (document === undefined || errors.length > 0) {
    const told = errors.map((one) => `line ${one.range.start.line + 1}: ${one.message}`);
    return told.length > 0 ? told : ["it is no document"];
  }
  return [...wrongExamples(document)];
}

let parsed = 0;
let refused = 0;
for (const file of process.argv.slice(2)) {
  const found = await faults(readFileSync(file, "utf8"));
  found.forEach((fault) => console.error(`${file}: ${fault}`));
  if (found.length > 0) {
    refused += 1;
  } else {
    parsed += 1;
  }
}
console.log(`${parsed} AsyncAPI documents parsed, ${refused} refused`);
process.exit(refused > 0 ? 1 : parsed === 0 ? 2 : 0);
