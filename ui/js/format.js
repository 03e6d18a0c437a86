// @ts-check
/**
 * Numbers and times as a person reads them. In: plain values. Out: text. Never: a value that jumps in width per second.
 */
import { language, t } from "./strings.js";

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** @param {number | null | undefined} count */
export function bytes(count) {
  if (count === null || count === undefined) return "–";
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** @param {number | null | undefined} mib */
export function memory(mib) {
  if (mib === null || mib === undefined) return "–";
  return mib < 1024 ? `${mib} MiB` : `${(mib / 1024).toFixed(mib % 1024 ? 1 : 0)} GiB`;
}

/** "0:07", "12:30", "3:04:05"; at most two parts beyond a day. @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  const total = Math.max(0, Math.floor(ms / 1000));
  const [days, hours] = [Math.floor(total / 86400), Math.floor((total % 86400) / 3600)];
  const [minutes, seconds] = [Math.floor((total % 3600) / 60), total % 60];
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** "850 ms", "3.2 s", then as duration(). @param {number | null | undefined} ms */
export function shortDuration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

/** @param {number | null | undefined} usd */
export function money(usd) {
  if (usd === null || usd === undefined) return "–";
  if (usd === 0) return "$0";
  return usd < 0.01 ? "< $0.01" : `$${usd.toFixed(2)}`;
}

/** 950, 12.3k, 1.2M. @param {number | null | undefined} value */
export function count(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return String(value);
  if (value < 1e6) return `${(value / 1e3).toFixed(value < 1e5 ? 1 : 0)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

/** "just now", "5 min ago", "3 h ago", "2 d ago", then a date. @param {number} at @param {number} now */
export function ago(at, now) {
  const seconds = Math.max(0, (now - at) / 1000);
  if (seconds < 60) return t("time.now");
  if (seconds < 3600) return t("time.minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return t("time.hours", { n: Math.floor(seconds / 3600) });
  if (seconds < 7 * 86400) return t("time.days", { n: Math.floor(seconds / 86400) });
  return date(at);
}

/** @param {number} at */
export const date = (at) =>
  new Intl.DateTimeFormat(language(), { year: "numeric", month: "short", day: "numeric" }).format(at);

/** @param {number} at */
export const moment = (at) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" }).format(at);

/** @param {number} at */
export const clock = (at) =>
  new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }).format(at);

/** The last two parts of a path, so that a row stays short; the whole path is the tooltip. @param {string} path */
export function shortPath(path) {
  const parts = path.split(/[\\/]/).filter(Boolean);
  return parts.length <= 2 ? path : `…/${parts.slice(-2).join("/")}`;
}
