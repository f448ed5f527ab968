// The API explorer: Swagger UI over the served contract, with a request snippet for the shell,
// TypeScript and Python. Everything comes from this server; nothing is fetched from elsewhere.
"use strict";

(() => {
  const headersOf = (request) => {
    const headers = request.get("headers");
    return headers ? Object.entries(headers.toJS()) : [];
  };

  // The body as the text that goes over the wire, or null where there is none.
  const bodyOf = (request) => {
    const body = request.get("body");
    if (body === undefined || body === null || body === "") return null;
    return typeof body === "string" ? body : JSON.stringify(body.toJS ? body.toJS() : body);
  };

  const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const quoted = (text) => JSON.stringify(text);

  // JSON as a Python literal: the same but for true, false and null outside of strings.
  const pythonLiteral = (value, indent) => {
    const inner = `${indent}    `;
    if (value === null) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (Array.isArray(value)) {
      if (value.length === 0) return "[]";
      return `[\n${value.map((item) => `${inner}${pythonLiteral(item, inner)},\n`).join("")}${indent}]`;
    }
    if (typeof value === "object") {
      const members = Object.entries(value);
      if (members.length === 0) return "{}";
      const lines = members.map(([k, v]) => `${inner}${quoted(k)}: ${pythonLiteral(v, inner)},\n`);
      return `{\n${lines.join("")}${indent}}`;
    }
    return quoted(value);
  };

  const parsed = (body) => {
    try {
      return { json: JSON.parse(body) };
    } catch {
      return { text: body };
    }
  };

  const curl = (request) => {
    const parts = [`curl -i -X ${request.get("method")} ${shellQuoted(request.get("url"))}`];
    for (const [name, value] of headersOf(request)) parts.push(`-H ${shellQuoted(`${name}: ${value}`)}`);
    const body = bodyOf(request);
    if (body !== null) parts.push(`--data-raw ${shellQuoted(body)}`);
    return parts.join(" \\\n  ");
  };

  const typescript = (request) => {
    const lines = [`  method: ${quoted(request.get("method"))},`];
    const headers = headersOf(request);
    if (headers.length > 0) {
      lines.push("  headers: {");
      for (const [name, value] of headers) lines.push(`    ${quoted(name)}: ${quoted(String(value))},`);
      lines.push("  },");
    }
    const body = bodyOf(request);
    if (body !== null) {
      const { json, text } = parsed(body);
      const literal = json === undefined
        ? quoted(text)
        : `JSON.stringify(${JSON.stringify(json, null, 2).replaceAll("\n", "\n  ")})`;
      lines.push(`  body: ${literal},`);
    }
    return [
      `const response = await fetch(${quoted(request.get("url"))}, {`,
      ...lines,
      "});",
      "if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);",
      "const answer: unknown = response.status === 204 ? undefined : await response.json();",
      "console.log(answer);",
    ].join("\n");
  };

  const python = (request) => {
    const body = bodyOf(request);
    const { json, text } = body === null ? {} : parsed(body);
    const lines = ["import json", "import urllib.request", ""];
    if (json !== undefined) lines.push(`body = json.dumps(${pythonLiteral(json, "")}).encode()`);
    if (text !== undefined) lines.push(`body = ${quoted(text)}.encode()`);
    lines.push("request = urllib.request.Request(", `    ${quoted(request.get("url"))},`);
    lines.push(`    method=${quoted(request.get("method"))},`);
    const headers = headersOf(request);
    if (headers.length > 0) {
      lines.push("    headers={");
      for (const [name, value] of headers) lines.push(`        ${quoted(name)}: ${quoted(String(value))},`);
      lines.push("    },");
    }
    if (body !== null) lines.push("    data=body,");
    lines.push(")", "with urllib.request.urlopen(request) as response:");
    lines.push("    print(response.status, response.read().decode())");
    return lines.join("\n");
  };

  const snippets = () => ({
    fn: {
      requestSnippetGenerator_shell: curl,
      requestSnippetGenerator_typescript: typescript,
      requestSnippetGenerator_python: python,
    },
  });

  window.onload = () => {
    window.ui = SwaggerUIBundle({
      url: "/openapi.json",
      dom_id: "#explorer",
      deepLinking: true,
      displayRequestDuration: true,
      filter: true,
      persistAuthorization: true,
      tryItOutEnabled: true,
      validatorUrl: null,
      plugins: [snippets],
      requestSnippetsEnabled: true,
      requestSnippets: {
        generators: {
          shell: { title: "curl", syntax: "bash" },
          typescript: { title: "TypeScript", syntax: "javascript" },
          python: { title: "Python", syntax: "python" },
        },
        defaultExpanded: true,
        languages: ["shell", "typescript", "python"],
      },
    });
  };
})();
