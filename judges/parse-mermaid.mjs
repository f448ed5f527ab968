// Parses every diagram of the Markdown files that are named: `node parse-mermaid.mjs FILE…`.
// Exits 1 where the parser refuses one, 2 where there was none to parse.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
globalThis.DOMPurify = undefined;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false });

let parsed = 0;
let refused = 0;
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8");
  for (const match of text.matchAll(/^```mermaid\n([\s\S]*?)^```$/gm)) {
    const line = text.slice(0, match.index).split("\n").length;
    try {
      await mermaid.parse(match[1]);
      parsed += 1;
    } catch (fault) {
      refused += 1;
      console.error(`${file}:${line}: ${fault.message}`);
    }
  }
}
console.log(`${parsed} diagrams parsed, ${refused} refused`);
process.exit(refused > 0 ? 1 : parsed === 0 ? 2 : 0);
