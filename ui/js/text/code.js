// @ts-check
/**
 * Code as a block with its language, a copy button and, once it is complete, colours.
 *
 * In: text and the name of a language, both hostile. Out: elements.
 * Never: markup of the text itself. The one innerHTML of the page is here: highlight.js' spans, after DOMPurify.
 */
import purify from "/vendor/purify.js";
import highlighter from "/vendor/highlight.js";
import { copyText } from "../components/controls.js";
import { t } from "../strings.js";
import { el, glyph } from "./dom.js";

/** Longer code stays plain: colours would cost more than a frame. */
const MAX_COLOURED_CHARS = 40_000;
const MAX_LANGUAGE_CHARS = 24;
const COPIED_MS = 1500;
/** What one turn may spend on colours before it gives way to input. */
const TURN_MS = 6;

const COPY = "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z";
const DONE = "M3 8.5l3.2 3.2L13 5";

/** @type {Record<string, string>} */
const LANGUAGE_OF = {
  sh: "bash", shell: "bash", zsh: "bash", console: "bash", py: "python", js: "javascript", mjs: "javascript",
  jsx: "javascript", ts: "typescript", tsx: "typescript", yml: "yaml", html: "xml", svg: "xml", md: "markdown",
  h: "c", cc: "cpp", hpp: "cpp", rs: "rust", golang: "go", toml: "ini", cfg: "ini", patch: "diff",
  docker: "dockerfile", make: "makefile", mk: "makefile",
};

/**
 * The language that the highlighter knows for a name or the ending of a path; "" when there is none.
 * @param {string} name
 */
export function languageOf(name) {
  const known = name.trim().toLowerCase().split(/[\s,{]/)[0];
  const language = LANGUAGE_OF[known] ?? known;
  return highlighter.getLanguage(language) ? language : "";
}

/** @param {string} path */
export function languageOfPath(path) {
  const name = path.split("/").pop() ?? "";
  if (/^(dockerfile|makefile)/i.test(name)) return languageOf(name.toLowerCase().split(".")[0]);
  return name.includes(".") ? languageOf(name.split(".").pop() ?? "") : "";
}

/**
 * A code block. `set` gives it its text as it grows, `close` colours it.
 * @param {string} text @param {string} language as the author wrote it
 */
export function codeBlock(text, language) {
  const code = el("code", null, text);
  const label = language.trim().split(/\s/)[0].slice(0, MAX_LANGUAGE_CHARS);
  const block = el(
    "div",
    "code-block",
    el("div", "code-head", el("span", "code-language", label || t("task.code.plain")), copyButton(() => code.textContent ?? "")),
    el("pre", { tabindex: "0", "aria-label": t("task.code.label", { language: label || t("task.code.plain") }) }, code),
  );
  return {
    element: block,
    /** @param {string} now */
    set(now) {
      const held = code.firstChild;
      if (held instanceof Text && code.childNodes.length === 1 && now.startsWith(held.data)) held.appendData(now.slice(held.data.length));
      else code.textContent = now;
    },
    close() {
      colourLater(code, languageOf(label));
    },
  };
}

/** @param {() => string} read */
export function copyButton(read) {
  const button = el("button", { class: "copy-button", type: "button", title: t("task.copy"), "aria-label": t("task.copy") }, glyph(COPY));
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    const isCopied = await copyText(read());
    button.replaceChildren(glyph(isCopied ? DONE : COPY));
    button.setAttribute("aria-label", t(isCopied ? "task.copied" : "task.copy_failed"));
    setTimeout(() => {
      button.replaceChildren(glyph(COPY));
      button.setAttribute("aria-label", t("task.copy"));
    }, COPIED_MS);
  });
  return button;
}

/** @type {{code: HTMLElement, language: string}[]} */
let waiting = [];

/**
 * Colour a finished code element when there is time; once.
 * @param {HTMLElement} code @param {string} language
 */
export function colourLater(code, language) {
  if (!language || (code.textContent ?? "").length > MAX_COLOURED_CHARS) return;
  waiting.push({ code, language });
  if (waiting.length === 1) setTimeout(colourSome);
}

function colourSome() {
  const until = performance.now() + TURN_MS;
  while (waiting.length && performance.now() < until) {
    const job = waiting.shift();
    // gone from the page meanwhile: its place will ask again when it comes back
    if (job && job.code.isConnected) colour(job.code, job.language);
  }
  if (waiting.length) setTimeout(colourSome);
}

/** @param {HTMLElement} code @param {string} language */
function colour(code, language) {
  const text = code.textContent ?? "";
  const marked = highlighter.highlight(text, { language, ignoreIllegals: true }).value;
  const clean = purify.sanitize(marked, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, RETURN_TRUSTED_TYPE: true });
  const plain = code.cloneNode(false);
  /** @type {any} */ (plain).innerHTML = clean;
  // the colours must not change a character
  if (plain.textContent === text) code.replaceChildren(...plain.childNodes);
}
