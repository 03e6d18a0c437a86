// @ts-check
/**
 * Elements made by hand, for what streams too fast for a tree to be compared: the transcript and its texts.
 *
 * In: a tag, attributes, children. Out: an element; every string becomes a text node. Never: innerHTML, a style attribute.
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any> | string | null} [attributes] a class name, or attributes; functions are listeners
 * @param {...(Node|string|null|false|undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  if (typeof attributes === "string") node.className = attributes;
  else if (attributes) for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  for (const child of children) if (child || child === "") node.append(child);
  return node;
}

/** @param {Element} node @param {string} name @param {any} value */
function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") node.addEventListener(name.replace(/^on/, ""), value);
  else node.setAttribute(name, value === true ? "" : String(value));
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * A line drawing of 16 × 16, hidden from screen readers: the words beside it say the same.
 * @param {string} path @param {string} [kind]
 */
export function glyph(path, kind = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `glyph ${kind}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
