// Makes ui/vendor from the libraries that package-lock.json fixes.
// In: this folder after `npm ci` (see `make`). Out: ui/vendor/*.js (ES modules, minified), licences/, manifest.json.
// Never: code of our own but the entry files below; an address; a file that says when or where it was made.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = process.argv[2] ?? join(HERE, "../../ui/vendor");
const LANGUAGES = ["bash", "c", "cpp", "css", "diff", "dockerfile", "go", "ini", "java", "javascript", "json", "makefile",
  "markdown", "python", "rust", "sql", "typescript", "xml", "yaml"];

const highlight = LANGUAGES.map((name) => `import ${name} from "highlight.js/lib/languages/${name}";`).join("\n");
const FILES = {
  "preact.js": {
    packages: ["preact", "@preact/signals", "@preact/signals-core", "htm"],
    entry: `
      export { html, render, h, Component } from "htm/preact";
      export { Fragment, createContext, createRef, cloneElement } from "preact";
      export { useState, useEffect, useRef, useMemo, useCallback, useLayoutEffect, useReducer, useContext, useId }
        from "preact/hooks";
      export { signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect }
        from "@preact/signals";`,
  },
  "marked.js": { packages: ["marked"], entry: `export { marked, Marked, Renderer, Lexer, Parser } from "marked";` },
  "purify.js": { packages: ["dompurify"], entry: `export { default } from "dompurify";` },
  "highlight.js": {
    packages: ["highlight.js"],
    entry: `import hljs from "highlight.js/lib/core";\n${highlight}\n`
      + LANGUAGES.map((name) => `hljs.registerLanguage("${name}", ${name});`).join("\n") + "\nexport default hljs;",
  },
};

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const read = (name, file) => readFileSync(join(HERE, "node_modules", name, file));

function library(name) {
  const { version, license } = JSON.parse(read(name, "package.json"));
  const file = `licences/${name.replace("@", "").replace("/", "-")}.txt`;
  const text = read(name, "LICENSE");
  writeFileSync(join(TARGET, file), text);
  return { name, version, licence: license, licence_file: file, licence_sha256: sha256(text) };
}

rmSync(TARGET, { recursive: true, force: true });
mkdirSync(join(TARGET, "licences"), { recursive: true });
const files = [];
for (const [file, { packages, entry }] of Object.entries(FILES)) {
  const credit = packages.map((name) => `${name} ${JSON.parse(read(name, "package.json")).version}`).join(", ");
  const made = await build({
    stdin: { contents: entry, resolveDir: HERE, loader: "js" },
    bundle: true, minify: true, format: "esm", target: "es2022", legalComments: "none", charset: "ascii", write: false,
    banner: { js: `/* ${credit}; licences: manifest.json */` },
  });
  const bytes = made.outputFiles[0].contents;
  writeFileSync(join(TARGET, file), bytes);
  files.push({ file, size_bytes: bytes.length, sha256: sha256(bytes), libraries: packages.map(library) });
  console.log(`${file} ${bytes.length} bytes`);
}
writeFileSync(join(TARGET, "manifest.json"), JSON.stringify({ made_by: ".ci/vendor/make", files }, null, 2) + "\n");
