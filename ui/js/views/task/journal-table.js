// @ts-check
/**
 * The journal of a task as a table: every record, its cause one click away.
 *
 * In: the session's records. Out: rows, filtered. Never: more rows at once than a page stays quick with.
 */
import { html, useMemo, useRef, useState } from "/vendor/preact.js";
import { Select } from "../../components/controls.js";
import { clock } from "../../format.js";
import { t } from "../../strings.js";
import { recordText } from "./diagram-trace.js";

const SHOWN = 400;

/** @param {{session: import("./session.js").TaskSession}} props */
export function Journal({ session }) {
  const [query, setQuery] = useState("");
  const [type, setType] = useState("");
  const [lit, setLit] = useState(0);
  const [limit, setLimit] = useState(SHOWN);
  const body = useRef(/** @type {HTMLElement | null} */ (null));
  const records = session.records.value;
  const types = useMemo(() => [...new Set(records.map((record) => record.type))].sort(), [records]);
  const found = useMemo(() => matching(records, query, type), [records, query, type]);
  const shown = found.slice(-limit);
  const goTo = (/** @type {number} */ seq) => {
    setQuery("");
    setType("");
    setLimit(Math.max(limit, records.length - seq + SHOWN));
    setLit(seq);
    requestAnimationFrame(() => requestAnimationFrame(() => body.current?.querySelector(`[data-seq="${seq}"]`)?.scrollIntoView({ block: "center" })));
  };
  const options = [{ value: "", label: t("task.diag.all_types") }, ...types.map((value) => ({ value, label: value }))];
  return html`<div class="journal">
    <div class="journal-bar"><input type="search" value=${query} aria-label=${t("task.diag.filter_records")} placeholder=${t("task.diag.filter_records")} onInput=${(/** @type {any} */ event) => setQuery(event.currentTarget.value)} />
      <label class="bar-select"><span class="visually-hidden">${t("task.diag.type")}</span><${Select} id="journal-type" value=${type} options=${options} onChange=${setType} /></label><span class="hint num">${t("task.diag.count", { n: found.length })}</span></div>
    <div class="table-scroll" ref=${body} tabindex="0" role="group" aria-label=${t("task.diag.journal")}>
      ${found.length > shown.length && html`<button type="button" class="text-button pad" onClick=${() => setLimit(limit + SHOWN)}>${t("task.entry.more")}</button>`}
      <table class="grid journal-table"><thead><tr><th scope="col" class="num">${t("task.diag.seq")}</th><th scope="col">${t("task.diag.time")}</th><th scope="col">${t("task.diag.type")}</th><th scope="col">${t("task.diag.what")}</th><th scope="col" class="num">${t("task.diag.caused_by")}</th></tr></thead>
        <tbody>${shown.map((record) => html`<${Row} key=${record.seq} record=${record} isLit=${record.seq === lit} goTo=${goTo} />`)}</tbody></table></div>
  </div>`;
}

/** @param {{record: any, isLit: boolean, goTo: (seq: number) => void}} props */
function Row({ record, isLit, goTo }) {
  const [isOpen, setOpen] = useState(false);
  return html`<tr data-seq=${record.seq} class="${record.type} ${isLit ? "lit" : ""}"><td class="num">${record.seq}</td><td class="num">${clock(record.at_ms)}</td><td><span class="record-type">${record.type}</span></td>
    <td class="break"><button type="button" class="record-text" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>${recordText(record) || "–"}</button>${isOpen && html`<pre>${JSON.stringify(record, null, 2)}</pre>`}</td>
    <td class="num">${record.cause ? html`<button type="button" class="text-button" aria-label=${t("task.diag.to_cause", { seq: record.cause })} onClick=${() => goTo(record.cause)}>${record.cause}</button>` : "–"}</td></tr>`;
}

/** @param {any[]} records @param {string} query @param {string} type */
function matching(records, query, type) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length && !type) return records;
  return records.filter((record) => {
    if (type && record.type !== type) return false;
    const text = words.length ? `${record.seq} ${record.type} ${JSON.stringify(record)}`.toLowerCase() : "";
    return words.every((word) => text.includes(word));
  });
}
