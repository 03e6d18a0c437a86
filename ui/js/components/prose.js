// @ts-check
/**
 * A sentence of the host with `commands` in back quotes, as text and code elements.
 * In: text. Out: text nodes and <code>. Never: markup.
 */
import { html } from "/vendor/preact.js";
import { CopyButton } from "./controls.js";

/** @param {{text: string, isCopyable?: boolean}} props */
export const Prose = ({ text, isCopyable }) =>
  text.split(/(`[^`]+`)/).map((part) => {
    if (!(part.length > 2 && part.startsWith("`") && part.endsWith("`"))) return part;
    const code = part.slice(1, -1);
    return isCopyable ? html`<span class="command"><code>${code}</code><${CopyButton} text=${code} /></span>` : html`<code class="inline">${code}</code>`;
  });
