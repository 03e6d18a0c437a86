// @ts-check
/**
 * Which folders a task gets: chosen natively, known by opaque ids, each to read or to write.
 * In: granted folders, the draft. Out: folder.choose, changes of the draft. Never: a path that is sent.
 */
import { html, useState } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { folderFault, folderOf } from "../draft.js";
import { shortPath } from "../format.js";
import { folders, orToast } from "../store.js";
import { t } from "../strings.js";
import { Button, IconButton, Segmented } from "../components/controls.js";
import { Icon } from "../components/icons.js";

const RECENT = 5;

/** Two folders of one name are told apart by their path. @param {any} folder */
const isTwice = (folder) => folders.value.filter((one) => one.name === folder.name).length > 1;

/** @param {{draft: any, faults: Record<string, any>, onAdd: (folder: any) => void, set: (change: any) => void}} props */
export function FolderPicker({ draft, faults, onAdd, set }) {
  const [isChoosing, setChoosing] = useState(false);
  const recent = folders.value.filter((one) => one.exists && !draft.folders.some((/** @type {any} */ chosen) => chosen.id === one.id)).slice(0, RECENT);
  const choose = async () => {
    setChoosing(true);
    const folder = await orToast(call("folder.choose", { read_only: false }));
    setChoosing(false);
    if (!folder) return;
    if (!folderOf(folder.id)) folders.value = [folder, ...folders.value];
    onAdd(folder);
  };
  const change = (/** @type {string} */ id, /** @type {any} */ what) =>
    set({ folders: draft.folders.map((/** @type {any} */ one) => (one.id === id ? { ...one, ...what } : one)) });
  return html`<section class="field" aria-labelledby="folders-title"><div class="field-head"><h2 id="folders-title" class="label">${t("new.folders")}</h2>
      <span class="field-aside">${draft.from ? t("new.as_last_time", { folder: draft.from }) : t("new.folders_hint")}</span></div>
    ${draft.folders.length > 0 && html`<ul class="folder-list card">${draft.folders.map((/** @type {any} */ one) => html`<${Chosen} key=${one.id} draft=${draft} choice=${one}
      onChange=${(/** @type {any} */ what) => change(one.id, what)} onRemove=${() => set({ folders: draft.folders.filter((/** @type {any} */ other) => other !== one) })} />`)}</ul>`}
    <div class="folder-add"><${Button} size="small" icon="plus" isBusy=${isChoosing} onClick=${choose}>${t("new.add_folder")}</${Button}>
      ${recent.length > 0 && html`<span class="hint">${t("new.recent")}</span>`}
      ${recent.map((one) => html`<button type="button" class="recent" key=${one.id} title=${one.path} onClick=${() => onAdd(one)}><${Icon} name="folder" size=${12} /><span class="ellipsis">${isTwice(one) ? shortPath(one.path) : one.name}</span></button>`)}</div>
    ${faults.folders?.error && html`<div class="field-note"><span class="error-text" role="alert">${faults.folders.error}</span></div>`}
  </section>`;
}

/** @param {{draft: any, choice: any, onChange: (change: any) => void, onRemove: () => void}} props */
function Chosen({ draft, choice, onChange, onRemove }) {
  const folder = folderOf(choice.id) || { name: "?", path: "" };
  const fault = folderFault(draft, choice);
  const kinds = [{ value: true, label: t("folder.may_read"), icon: "lock" }, { value: false, label: t("folder.may_write"), icon: "pencil" }];
  return html`<li><div class="folder-line"><${Icon} name="folder" /><span class="folder-words"><b class="ellipsis">${folder.name}</b><small class="ellipsis" title=${folder.path}>${folder.path}</small></span>
    <${Segmented} size="small" label=${t("folder.access", { folder: folder.name })} value=${choice.read_only} options=${kinds} onChange=${(/** @type {boolean} */ value) => onChange({ read_only: value })} />
    <${IconButton} icon="cross" label=${t("folder.remove", { folder: folder.name })} onClick=${onRemove} /></div>
    ${fault.error && html`<p class="field-note"><span class="error-text" role="alert"><${Icon} name="warning" size=${13} />${fault.error}</span></p>`}
    ${fault.warning && html`<p class="field-note"><span class="warning-text"><${Icon} name="warning" size=${13} />${fault.warning}</span></p>`}</li>`;
}
