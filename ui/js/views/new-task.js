// @ts-check
/**
 * New task: one text, a few choices, and beside each what would be refused.
 * In: draft rules of draft.js. Out: blob.add, task.create, task.start. Never: a start that the rules refuse.
 */
import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { blockers, demoDraft, faultsOf, folderFault, newDraft, paramsOf, withFolder } from "../draft.js";
import { addImages, imageFiles, readImage } from "../images.js";
import { useShortcuts } from "../keys.js";
import { go, href, route } from "../router.js";
import { liveCount, orToast, setup, toast } from "../store.js";
import { t } from "../strings.js";
import { Button, IconButton, Keys, Notice } from "../components/controls.js";
import { Icon } from "../components/icons.js";
import { Choices } from "./new-task-choices.js";
import { FolderPicker } from "./new-task-folders.js";

/** Kept while other places are looked at. */
const kept = signal(/** @type {import("../draft.js").Draft | null} */ (null));

export function NewTaskView() {
  const wantsDemo = route.value.query.has("demo");
  if (!kept.value || (wantsDemo && !kept.value.prompt)) kept.value = wantsDemo ? demoDraft() : newDraft();
  const draft = kept.value;
  const [isStarting, setStarting] = useState(false);
  const [wasTried, setTried] = useState(false);
  const faults = faultsOf(draft);
  const reason = reasonOf(draft, faults);

  /** @param {Partial<import("../draft.js").Draft>} change */
  const set = (change) => {
    const chosen = new Set([...draft.chosen, ...Object.keys(change)]);
    kept.value = { .../** @type {any} */ (kept.value), ...change, chosen };
  };
  const start = async () => {
    setTried(true);
    if (isStarting || reason) return;
    setStarting(true);
    const made = await orToast(create(draft));
    setStarting(false);
    if (!made) return;
    kept.value = null;
    go("task", made.task_id);
    await orToast(call("task.start", { task_id: made.task_id }));
  };
  useShortcuts([{ keys: "mod+Enter", label: t("new.start"), group: "new", run: start }]);

  return html`<div class="page new-page">
    <header class="page-head"><h1>${t("new.title")}</h1></header>
    ${setup.value.accelerator?.is_emulated && html`<div class="emulation" role="note"><${Icon} name="warning" size=${18} /><div><b>${t("emulated.badge")}</b> ${t("emulated.meaning")}</div></div>`}
    ${blockers().map((one) => html`<${Notice} key=${one.title} level="error" title=${one.title} actions=${html`<a class="button small" href=${href(one.to)}>${t("setup.open")}</a>`}>${one.text}</${Notice}>`)}
    <${Prompt} draft=${draft} set=${set} fault=${faults.prompt || faults.images} />
    <${FolderPicker} draft=${draft} faults=${faults} onAdd=${(/** @type {any} */ folder) => (kept.value = withFolder(/** @type {any} */ (kept.value), folder))} set=${set} />
    <${Choices} draft=${draft} faults=${faults} set=${set} />
    <footer class="new-foot">
      <p class="new-reason ${wasTried && reason ? "loud" : ""}" role="status">${reason || html`<${Meaning} draft=${draft} />`}</p>
      <${Button} kind="primary" icon="play" isBusy=${isStarting} aria-disabled=${reason ? "true" : undefined} class=${reason ? "is-off" : ""} onClick=${start}>${t("new.start")}</${Button}><${Keys} keys="mod+Enter" />
    </footer>
  </div>`;
}

/** The first thing that stands in the way, in words; "" when the task may start. @param {any} draft @param {Record<string, any>} faults */
function reasonOf(draft, faults) {
  const [blocked] = blockers();
  if (blocked) return blocked.title;
  if (!draft.prompt.trim()) return t("new.prompt_missing");
  const folder = draft.folders.map((/** @type {any} */ one) => folderFault(draft, one).error).find(Boolean);
  const field = Object.values(faults).map((one) => one.error).find(Boolean);
  const limit = setup.value.limits.machine_limit;
  return folder || field || (liveCount.value >= limit ? t("new.machines_full", { n: limit }) : "");
}

/** @param {any} draft */
async function create(draft) {
  const images = await addImages(draft.images);
  return call("task.create", paramsOf(draft, images));
}

/** What the task may do, in one sentence. @param {{draft: any}} props */
function Meaning({ draft }) {
  const writes = draft.folders.filter((/** @type {any} */ one) => !one.read_only).length;
  const folders = draft.folders.length ? t("new.means_folders", { writes, reads: draft.folders.length - writes }) : t("new.means_no_folder");
  const network = draft.network === "offline" ? t("new.means_offline") : t("new.means_model", { model: draft.model.model });
  return html`${folders} ${network}`;
}

// the prompt with its images

/** @param {{draft: any, set: (change: any) => void, fault?: {error?: string, warning?: string}}} props */
function Prompt({ draft, set, fault }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [isOver, setOver] = useState(false);
  useEffect(() => area.current?.focus(), []);
  useLayoutEffect(() => grow(area.current), [draft.prompt]);
  const add = async (/** @type {File[]} */ files) => {
    for (const one of files) {
      try {
        const image = await readImage(one);
        set({ images: [.../** @type {any} */ (kept.value).images, image] });
      } catch (error) {
        toast("error", /** @type {Error} */ (error).message);
      }
    }
  };
  const paste = (/** @type {ClipboardEvent} */ event) => {
    const files = imageFiles(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    add(files);
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(false);
    add(imageFiles(event.dataTransfer));
  };
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(true);
  };
  return html`<section class="prompt ${isOver ? "over" : ""} ${fault?.error ? "has-error" : ""}" onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <label class="visually-hidden" for="prompt">${t("new.prompt")}</label>
    <textarea id="prompt" ref=${area} rows="2" placeholder=${t("new.placeholder")} value=${draft.prompt} aria-describedby="prompt-note"
      onInput=${(/** @type {any} */ event) => set({ prompt: event.currentTarget.value })} onPaste=${paste}></textarea>
    ${draft.images.length > 0 && html`<ul class="images" aria-label=${t("new.images")}>${draft.images.map((/** @type {any} */ image, /** @type {number} */ index) => html`<li key=${index}>
      <img src=${image.preview} alt=${image.name} title=${image.name} /><${IconButton} icon="cross" label=${t("image.remove", { name: image.name })}
        onClick=${() => set({ images: draft.images.filter((/** @type {any} */ one) => one !== image) })} /></li>`)}</ul>`}
    <div class="prompt-foot"><${Button} kind="quiet" size="small" icon="image" onClick=${() => file.current?.click()}>${t("new.add_image")}</${Button}>
      <input type="file" ref=${file} hidden multiple accept="image/png,image/jpeg,image/gif,image/webp" onChange=${(/** @type {any} */ event) => { add([...event.currentTarget.files]); event.currentTarget.value = ""; }} />
      <span id="prompt-note" class="hint">${fault?.error ? html`<span class="error-text" role="alert">${fault.error}</span>` : t("new.image_hint")}</span></div>
  </section>`;
}

/** @param {HTMLTextAreaElement | null} area */
function grow(area) {
  if (!area) return;
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, window.innerHeight * 0.4)}px`;
}
