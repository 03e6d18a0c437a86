// @ts-check
/**
 * The editor of a branch: a message of before, written anew; a fresh machine knows only what was said before it.
 *
 * In: a Branch of the session. Out: task.continue with `before_key` and task.start. Never: a change of the task that is branched.
 */
import { html, signal, useEffect } from "/vendor/preact.js";
import { Button, Keys } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { t } from "../../strings.js";
import { GoOnEditor } from "./continue.js";

const IMAGE_LINE = /^\[image\]$\n?/gm;

/**
 * @typedef {{taskId: string, key: number, draft: {value: string}, images: {value: any[]}, hadPictures: boolean}} Branch
 *   `key` is the message that is written anew
 */

/** @param {string} taskId @param {{key: number, text: string}} entry @returns {Branch} */
export function branchAt(taskId, entry) {
  const text = entry.text.replace(IMAGE_LINE, "").trimEnd();
  return { taskId, key: entry.key, draft: signal(text), images: signal(/** @type {any[]} */ ([])), hadPictures: text !== entry.text.trimEnd() };
}

/** @param {{session: import("./session.js").TaskSession, branch: Branch, row: any}} props */
export function BranchEditor({ session, branch, row }) {
  const close = () => {
    session.branch.value = null;
  };
  useEffect(() => {
    const keydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
      event.preventDefault();
      close();
    };
    window.addEventListener("keydown", keydown);
    return () => window.removeEventListener("keydown", keydown);
  }, []);
  const isWriting = row.is_live && row.folders.some((/** @type {any} */ one) => !one.read_only);
  return html`<section class="branch-editor" aria-label=${t("task.branch.title")}>
    <header><${Icon} name="branch" /><div><strong>${t("task.branch.title")}</strong> ${t("task.branch.meaning")}
        <ul><li>${t("task.branch.files")}</li>
          ${isWriting && html`<li class="warn">${t("task.branch.writes")}</li>`}
          ${branch.hadPictures && html`<li>${t("task.branch.pictures")}</li>`}</ul></div>
      <${Button} size="small" kind="quiet" onClick=${close}>${t("task.branch.give_up")} <${Keys} keys="Escape" /></${Button}></header>
    <${GoOnEditor} key=${branch.key} what=${branch} params=${{ before_key: branch.key }} label=${t("task.branch.here_label")} placeholder=${t("task.branch.write")}
      send=${t("task.branch.send")} meaning=${t("task.branch.send_meaning")} onDone=${close} />
  </section>`;
}
