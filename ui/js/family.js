// @ts-check
/**
 * Tasks that continue or branch from others: who comes from whom, in one tree.
 * In: TaskRows. Out: families in order, words for where a task comes from. Never: a circle, a row that is not there.
 */
import { computed } from "/vendor/preact.js";
import { tasks } from "./store.js";
import { t } from "./strings.js";

/** @typedef {{row: any, depth: number}} Member */

/** Map task_id → rows that go on from it, oldest first. */
export const childrenOf = computed(() => {
  /** @type {Map<string, any[]>} */
  const found = new Map();
  for (const row of tasks.value.values()) {
    if (!row.continues) continue;
    found.set(row.continues, [...(found.get(row.continues) ?? []), row]);
  }
  for (const rows of found.values()) rows.sort((a, b) => a.created_ms - b.created_ms);
  return found;
});

/** The oldest known task that this one comes from, itself when there is none. @param {any} row */
export function rootOf(row) {
  const seen = new Set([row.task_id]);
  let root = row;
  for (;;) {
    const parent = tasks.value.get(root.continues);
    if (!parent || seen.has(parent.task_id)) return root;
    seen.add(parent.task_id);
    root = parent;
  }
}

/** A task and all that come from it, each behind the one that it comes from. @param {any} row @returns {Member[]} */
export function familyOf(row) {
  const root = rootOf(row);
  return inFamilies([...membersBelow(root)]);
}

/** @param {any} root */
function membersBelow(root) {
  const found = new Set([root]);
  for (const one of found) for (const child of childrenOf.value.get(one.task_id) ?? []) found.add(child);
  return found;
}

/** Rows in their order, but those that come from another of them are put behind it, one step deeper. @param {any[]} rows @returns {Member[]} */
export function inFamilies(rows) {
  const ids = new Set(rows.map((row) => row.task_id));
  /** @type {Map<string, Member>} */
  const placed = new Map();
  const place = (/** @type {any} */ row, /** @type {number} */ depth) => {
    if (placed.has(row.task_id)) return;
    placed.set(row.task_id, { row, depth });
    for (const child of childrenOf.value.get(row.task_id) ?? []) if (ids.has(child.task_id)) place(child, depth + 1);
  };
  for (const row of rows) if (!ids.has(row.continues)) place(row, 0);
  for (const row of rows) place(row, 0); // a circle, which no journal of ours makes
  return [...placed.values()];
}

/** Where a task comes from, in words; "" for one that begins by itself. @param {any} row */
export function originOf(row) {
  if (!row.continues) return "";
  const title = tasks.value.get(row.continues)?.title ?? t("family.removed");
  if (row.branch_key) return row.earlier_messages ? t("family.branch", { title, n: row.earlier_messages + 1 }) : t("family.branch_first", { title });
  return row.earlier_messages ? t("family.continues", { title, n: row.earlier_messages }) : t("tasks.continues", { title });
}
