// @ts-check
/**
 * Every word of the page in one catalogue, ready for other languages.
 * In: a key and values. Out: text (never markup). Never: a guest's text as a key.
 *
 * `{name}` is replaced; a key with `.one` and `.other` is chosen by `n`. Other files of words join by addStrings().
 */

/** @type {Record<string, Record<string, string>>} */
const catalogues = { en: {} };
let current = "en";

/** @param {Record<string, string>} words @param {string} [code] */
export function addStrings(words, code = "en") {
  catalogues[code] = { ...(catalogues[code] || {}), ...words };
}

export const language = () => current;
export const languages = () => Object.keys(catalogues);

/** @param {string} code */
export function setLanguage(code) {
  current = catalogues[code] ? code : "en";
}

/** @param {string} key */
const find = (key) => catalogues[current][key] ?? catalogues.en[key];

/**
 * The words of a key; a key that does not exist is shown as it is, so that it is seen.
 * @param {string} key @param {Record<string, any>} [values]
 * @returns {string}
 */
export function t(key, values) {
  let text = find(key);
  if (values && "n" in values && text === undefined) {
    text = find(`${key}.${new Intl.PluralRules(current).select(values.n)}`) ?? find(`${key}.other`);
  }
  if (text === undefined) return key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole)) : text;
}

addStrings({
  "tasks.title": "Tasks", "tasks.none_short": "No tasks yet", "new.title": "New task", "setup.title": "This computer", "settings.title": "Settings",
  // frame
  "frame.skip": "Skip to the content", "frame.rail": "Tasks and places", "frame.loading": "Loading",
  "frame.live.one": "{n} machine is on", "frame.live.other": "{n} machines are on",
  "frame.need_you.one": "{n} task waits for you", "frame.need_you.other": "{n} tasks wait for you",
  "frame.look_here": "Something to look at", "frame.broken_view": "This view could not be loaded",
  "link.connecting": "Connecting to pui…", "link.lost": "The connection to pui is lost. Tasks go on; trying again by itself.", "link.retry": "Try now",
  "status.label": "State of this computer", "status.checking": "Checking…", "status.no_accelerator": "No acceleration",
  "status.pack": "Runtime {version}", "status.no_pack": "No runtime", "status.machines": "{n} of {limit} machines",
  "emulated.badge": "EMULATED", "emulated.meaning": "Developer switch: this runs under emulation. It is slow, and there is no isolation boundary. Do not run a task that you do not trust.",
  "toast.region": "Messages", "dialog.close": "Close", "dialog.cancel": "Cancel", "copy.do": "Copy", "copy.done": "Copied",
  "time.now": "just now", "time.minutes": "{n} min ago", "time.hours": "{n} h ago", "time.days": "{n} d ago", "time.left": "{time} left",
  "key.ctrl": "Ctrl", "key.alt": "Alt", "key.shift": "Shift",
  // keys and palette
  "keys.title": "Keys", "keys.group_go": "Everywhere", "keys.group_tasks": "List of tasks", "keys.group_task": "Task", "keys.group_new": "New task", "keys.group_list": "In a list",
  "keys.next_attention": "Task that waits for you", "keys.previous_task": "Previous task", "keys.next_task": "Next task",
  "keys.down": "Down", "keys.up": "Up", "keys.open": "Open", "keys.escape": "Close, leave",
  "palette.title": "Go to or do", "palette.placeholder": "A task, a place, an action…", "palette.none": "Nothing is called “{query}”.",
  // marks
  "mark.question": "Asks you", "mark.turn": "Your turn", "mark.setup": "Set-up required", "mark.done": "Done", "mark.failed": "Failed", "mark.cancelled": "Cancelled",
  "folder.none": "No folder", "folder.ro": "read", "folder.rw": "write", "folder.ro_long": "the task may read", "folder.rw_long": "the task may read and write",
  "network.model": "Model only", "network.offline": "Offline",
  "network.model_long": "The machine has no network device. Only requests to the chosen model leave it, through pui.",
  "network.offline_long": "The machine has no network device, and no model outside this computer is asked.",
  // actions
  "action.start": "Start", "action.retry": "Try again", "action.finish": "Finish", "action.cancel": "Cancel task", "action.again": "Run again", "action.remove": "Remove", "action.rename": "Rename", "action.open": "Open", "action.more": "More actions",
  "cancel.title": "Cancel this task?", "cancel.line": "“{title}” is stopped and its machine is thrown away. What it wrote to your folders stays.",
  "remove.title": "Remove this task?", "remove.line": "The conversation, the journal and the logs of “{title}” are deleted.", "remove.folders": "Your folders are not touched.",
});
