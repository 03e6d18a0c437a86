// @ts-check
/**
 * Parts of the composer: pictures that go along, hidden characters in what was pasted, a text that the guest proposes.
 *
 * In: clipboard and drops, the draft, AgentPanel.editor_text. Out: blobs, a changed draft when the person wants it.
 * Never: a text of the guest put into the editor over what the person wrote.
 */
import { html, useEffect, useState } from "/vendor/preact.js";
import { Button, IconButton } from "../../components/controls.js";
import { Icon } from "../../components/icons.js";
import { orToast, toast } from "../../store.js";
import { t } from "../../strings.js";
import { markedPieces, withoutHidden } from "../../text/marks.js";
import { IMAGE_LIMIT, imageFiles, readImage } from "../../images.js";

const SHOWN_MARKS = 6;

/** @typedef {import("./session.js").TaskSession} TaskSession */
/** @typedef {(text: string, caret: number) => void} Write */

/** @typedef {{images: {value: any[]}}} Illustrated what pictures go along with */

/** @param {Illustrated} session @param {Event} event @param {DataTransfer|null} data */
export function takePictures(session, event, data) {
  const files = imageFiles(data);
  if (!files.length) return;
  event.preventDefault();
  for (const file of files) takePicture(session, file);
}

/** @param {Illustrated} session @param {File} file */
async function takePicture(session, file) {
  if (session.images.value.length >= IMAGE_LIMIT) {
    toast("warning", t("task.picture.too_many", { n: IMAGE_LIMIT }));
    return;
  }
  const picture = await orToast(readImage(file));
  if (picture) session.images.value = [...session.images.value, picture];
}

/** @param {{session: Illustrated}} props */
export function Pictures({ session }) {
  const drop = (/** @type {any} */ picture) => {
    session.images.value = session.images.value.filter((one) => one !== picture);
  };
  if (!session.images.value.length) return null;
  return html`<ul class="pictures">${session.images.value.map((picture, index) => html`<li key=${index}>
    <img src=${picture.preview} alt=${t("task.image_number", { n: index + 1 })} /><${IconButton} icon="cross" class="small" label=${t("task.picture.remove", { n: index + 1 })} onClick=${() => drop(picture)} /></li>`)}</ul>`;
}

/** Characters that cannot be seen are shown, and go only when the person says so (threats.md I9). @param {{text: string, marks: any[], write: Write}} props */
export function HiddenCharacters({ text, marks, write }) {
  const pieces = markedPieces(text, marks.slice(0, SHOWN_MARKS));
  const clean = () => {
    const rest = withoutHidden(text);
    write(rest, rest.length);
  };
  return html`<div class="hidden-marks" role="alert"><${Icon} name="warning" size=${14} />
    <div><strong>${t("task.hidden.title", { n: marks.length })}</strong>
      <p class="hidden-preview" dir="ltr">${pieces.map((piece) => (typeof piece === "string" ? html`<bdi>${piece}</bdi>` : html`<mark title=${piece.name}>${piece.code} ${piece.name}</mark>`))}</p></div>
    <${Button} size="small" onClick=${clean}>${t("task.hidden.remove")}</${Button}></div>`;
}

/** set_editor_text: at once into an empty editor, else only when the person takes it. @param {{session: TaskSession, write: Write}} props */
export function GuestSuggestion({ session, write }) {
  const proposed = session.agent.value?.editor_text;
  const [, redraw] = useState(0);
  const seen = session.keep.get("editor-text") ?? 0;
  const isFresh = !!proposed && proposed.seq > seen;
  const settle = (/** @type {boolean} */ isTaken) => {
    session.keep.set("editor-text", proposed.seq);
    if (isTaken) write(proposed.text, proposed.text.length);
    redraw((count) => count + 1);
  };
  useEffect(() => {
    if (isFresh && !session.draft.value) {
      settle(true);
      toast("info", t("task.guest.wrote_editor"));
    }
  }, [proposed?.seq]);
  if (!isFresh || !session.draft.value) return null;
  return html`<div class="guest-notice" role="status"><${Icon} name="box" size=${13} /><b>${t("task.guest.proposes")}</b><span class="ellipsis">${proposed.text}</span>
    <${Button} size="small" onClick=${() => settle(true)}>${t("task.guest.use")}</${Button}><${IconButton} icon="cross" label=${t("task.guest.dismiss")} onClick=${() => settle(false)} /></div>`;
}
