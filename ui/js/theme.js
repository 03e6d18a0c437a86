// @ts-check
/**
 * Theme, contrast, text size and motion: from the settings to attributes of <html> that the style sheets read.
 *
 * In: settings, what the system prefers. Out: attributes and the size of the root's text. Never: a style of a view.
 */
import { computed, effect, signal } from "/vendor/preact.js";
import { settings } from "./store.js";
import { setLanguage } from "./strings.js";

const ROOT_TEXT_PERCENT = 87.5;

const darkQuery = window.matchMedia("(prefers-color-scheme: dark)");
const isSystemDark = signal(darkQuery.matches);
darkQuery.addEventListener("change", (event) => (isSystemDark.value = event.matches));

/** The theme that is on: "light" or "dark". */
export const theme = computed(() => {
  const wanted = settings.value?.theme || "system";
  if (wanted !== "system") return wanted;
  return isSystemDark.value ? "dark" : "light";
});

export function followTheme() {
  const root = document.documentElement;
  effect(() => {
    root.dataset.theme = theme.value;
    root.dataset.contrast = settings.value?.contrast || "normal";
    root.dataset.motion = settings.value?.motion || "system";
    root.style.fontSize = `${((settings.value?.text_scale || 100) * ROOT_TEXT_PERCENT) / 100}%`;
    setLanguage(settings.value?.language || "en");
    root.lang = settings.value?.language || "en";
  });
}
