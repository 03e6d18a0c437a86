// @ts-check
/**
 * The page's start: theme, connection, frame. In: the document. Out: the app in #app. Never: a second start.
 */
import { html, render } from "/vendor/preact.js";
import { begin } from "./store.js";
import { followTheme } from "./theme.js";
import { followPresence } from "./presence.js";
import { Frame } from "./frame.js";

begin();
followTheme();
const place = /** @type {HTMLElement} */ (document.getElementById("app"));
render(html`<${Frame} />`, place);
followPresence();
