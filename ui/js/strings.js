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
  current = Object.hasOwn(catalogues, code) ? code : "en";
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
  // frame
  "frame.skip": "Skip to the content", "frame.rail": "Tasks and places", "frame.loading": "Loading",
  "frame.live.one": "{n} machine is on", "frame.live.other": "{n} machines are on",
  "frame.need_you.one": "{n} task waits for you", "frame.need_you.other": "{n} tasks wait for you",
  "frame.look_here": "Something to look at", "frame.broken_view": "This view could not be shown", "frame.reload": "Load again",
  "link.connecting": "Connecting to pui…", "link.lost": "The connection to pui is lost. Tasks go on; trying again by itself.", "link.retry": "Try now", "link.taken": "This session was opened in another page, or pui was started anew.", "link.reload": "Use it here",
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
  "palette.title": "Go to or do", "palette.placeholder": "A task, a place, an action…", "palette.check": "Check this computer again", "palette.none": "Nothing is called “{query}”.",
  // marks
  "mark.elsewhere": "{state} · in another pui", "elsewhere.reason": "It runs in another pui (a terminal, or another window): act on it there.", "mark.question": "Asks you", "mark.turn": "Your turn", "mark.setup": "Set-up required", "mark.done": "Done", "mark.failed": "Failed", "mark.cancelled": "Cancelled",
  "folder.none": "No folder", "folder.ro": "read", "folder.rw": "write", "folder.ro_long": "the task may read", "folder.rw_long": "the task may read and write",
  "network.model": "Model only", "network.offline": "Offline",
  "network.model_long": "The machine has no network device. Only requests to the chosen model leave it, through pui.",
  "network.offline_long": "The machine has no network device, and no model outside this computer is asked.",
  // actions
  "action.start": "Start", "action.retry": "Try again", "action.finish": "Finish", "action.cancel": "Cancel task", "action.again": "Run again", "action.continue": "Continue", "action.export_md": "Export as Markdown", "action.export_html": "Export as HTML", "export.saved": "Saved as {name}.", "tasks.continues": "continued from “{title}”", "family.continues": "continued from “{title}” after message {n}", "family.branch": "branch of “{title}” before message {n}", "family.branch_first": "branch of “{title}” before its first message", "family.removed": "a task that was removed", "family.children.one": "{n} task goes on from here", "family.children.other": "{n} tasks go on from here", "family.show": "Show all", "family.hide": "Hide", "family.label": "Tasks of this conversation", "family.at_branch": "before message {n}", "family.at_end": "after message {n}", "action.remove": "Remove", "action.rename": "Rename", "action.open": "Open", "action.more": "More actions",
  "cancel.title": "Cancel this task?", "cancel.line": "“{title}” is stopped and its machine is thrown away. What it wrote to your folders stays.",
  "remove.title": "Remove this task?", "remove.line": "The conversation, the journal and the logs of “{title}” are deleted.", "remove.folders": "Your folders are not touched.",
  // list of tasks
  "tasks.title": "Tasks", "tasks.none_short": "No tasks yet", "tasks.search": "Search tasks", "tasks.filter": "Which tasks are shown",
  "tasks.filter_all": "All", "tasks.filter_attention": "Wait for you", "tasks.filter_live": "Working", "tasks.filter_over": "Over",
  "tasks.group_attention": "Wait for you", "tasks.group_live": "Working", "tasks.group_waiting": "Not started", "tasks.group_over": "Over",
  "tasks.no_match": "No task matches “{query}”.", "tasks.none_here": "No task is in this state.", "tasks.show_all": "Show all", "tasks.more": "Show {n} more",
  "tasks.changes.one": "{n} file", "tasks.changes.other": "{n} files", "tasks.tokens": "{total} tokens",
  "tasks.flagged.one": "{n} changed file may be run by this computer: look before you go on", "tasks.flagged.other": "{n} changed files may be run by this computer: look before you go on",
  "tasks.not_ready": "New tasks wait until this is done.", "tasks.empty_title": "Give pi its first task",
  "tasks.empty_text": "Each task gets a small Linux machine of its own, sees only the folders you choose, and is thrown away when it is over. The demo needs no key and no folder.",
  "tasks.try_demo": "Try the demo", "model.demo_short": "Demo", "keys.start_again": "Start, try again, run again", "keys.cancel_remove": "Cancel or remove",
  "welcome.title": "Welcome to pui", "welcome.text": "Coding tasks run in machines of their own on this computer. Three steps lead to the first one:", "welcome.setup": "Begin",
  "welcome.step_runtime": "Runtime", "welcome.step_acceleration": "Acceleration", "welcome.step_task": "First task",
  // places
  "new.title": "New task", "setup.title": "This computer", "setup.not_ready": "This computer is not ready", "setup.open": "Look", "settings.title": "Settings",
  // this computer
  "setup.ready": "Ready for tasks", "setup.checking": "A small test machine is being started…", "setup.checked": "checked", "setup.check": "Check again", "setup.steps": "The way to the first task", "setup.step_done": "Done:",
  "setup.step_runtime_todo": "Install it once", "setup.step_runtime_done": "Installed and verified", "setup.step_acceleration_todo": "Checked by a real start", "setup.step_acceleration_done": "A test machine ran", "setup.step_task_todo": "A demo without a key", "setup.step_task_done": "Done",
  "setup.diagram": "State diagram", "setup.runtime": "Runtime", "setup.runtime_text": "Tasks run in a small Linux machine that pui brings along: the runtime. About 110 MB are fetched and 350 MB kept on the disk; all of it is signed, and verified before it is used. A download that is cut off goes on where it stopped.",
  "setup.install": "Install runtime", "setup.missing": "To install it from a channel, two things are needed, both from the channel's operator:", "setup.missing_channel": "The channel's address", "setup.missing_root": "Its root: a file, and its fingerprint told by another way", "setup.missing_title": "The channel's address or its root is missing", "setup.needed": "Needed:", "setup.set_channel": "Set the address…", "setup.install_file": "Install from a file…", "setup.build": "Build it here", "setup.build_hint": "Made from public sources on this computer; takes some minutes",
  "setup.findings": "What was found", "setup.blocker": "In the way:", "setup.warning": "Warning:", "setup.note": "Note:",
  "setup.repair": "Repair", "setup.try": "Try the runtime again", "setup.roll_back": "Roll back", "setup.clean": "Remove old runtimes",
  "rollback.title": "Roll back the runtime?", "rollback.line": "New tasks use version {version} again. Tasks that run are not touched.",
  "setup.how": "How tasks run here", "setup.acceleration": "Acceleration", "setup.unknown": "Not known yet", "setup.manage": "Manage", "setup.jail": "Jail", "jail.on": "On: {reason}", "jail.off": "Off: {reason}",
  "setup.limits": "Limits", "setup.limit_words": "{machines} machines at a time, up to {memory} of memory and {cpus} processors each",
  "setup.computer": "Computer", "setup.system": "System", "setup.cpu": "Processor", "setup.cpu_count.one": "{n} processor", "setup.cpu_count.other": "{n} processors", "setup.memory": "Memory", "setup.disk": "Disk", "setup.free_of": "{free} free of {total}", "setup.free": "{free} free", "setup.data_dir": "Data folder",
  "status.not_checked": "Not checked yet",
  // jobs
  "job.failed": "{what} failed: {message}", "job.cancelled": "{what} was cancelled", "job.kept": "What was already fetched is kept.", "job.resume": "Go on", "job.done": "{what}: done", "job.rate": "{rate}/s", "job.amount": "{done} of {total}", "job.since": "for",
  "job.kind_install": "Install runtime", "job.kind_build": "Build runtime", "job.kind_file": "Install from a file", "job.kind_channel": "Install runtime", "job.kind_update": "Update runtime", "job.kind_repair": "Repair runtime", "job.kind_verify": "Verify runtime", "job.kind_clean": "Remove old runtimes", "job.kind_try": "Try runtime", "job.kind_rollback": "Roll back runtime", "job.kind_move": "Move data folder",
  // new task
  "new.prompt": "What shall be done?", "new.placeholder": "What shall be done? Name files, goals, and how you will know that it worked.", "new.start": "Start task",
  "new.demo_prompt": "Look around, then write a short note about what is here.",
  "new.add_image": "Add image", "new.image_hint": "Paste or drop images here, too.", "new.images": "Images", "image.remove": "Remove {name}", "image.pasted": "Pasted image", "image.kind": "{name} is not a PNG, JPEG, GIF or WebP image.", "image.broken": "{name} could not be read as an image.",
  "new.folders": "Folders", "new.folders_hint": "The task sees these and nothing else of this computer.", "new.as_last_time": "Choices as last time with {folder}", "new.add_folder": "Add folder…", "new.recent": "Recent:",
  "folder.may_read": "Read", "folder.may_write": "Write", "folder.access": "What the task may do in {folder}", "folder.remove": "Leave out {folder}",
  "new.model": "Model", "new.open_models": "Set up models", "new.not_usable": "not set up", "new.thinking": "Thinking", "new.network": "Network", "new.memory": "Memory", "new.cpu": "Processors", "new.cache": "Keep a cache", "new.cache_hint": "Packages stay for the next task.",
  "thinking.off": "Off", "thinking.minimal": "Minimal", "thinking.low": "Low", "thinking.medium": "Medium", "thinking.high": "High", "thinking.xhigh": "Very high", "thinking.max": "All there is",
  "new.prompt_missing": "Say what shall be done.", "new.prompt_long": "This text is too long to send; put it into a file in the folder.", "new.images_many": "At most {n} images.", "new.images_large": "These images are too large together (3 MB at most).",
  "new.no_model": "Choose a model.", "new.no_key": "{provider} needs a key.", "new.no_address": "{provider} needs an address.", "new.offline_model": "Offline, {provider} cannot be reached; only the demo model works.",
  "new.folders_many": "At most {n} folders.", "new.folder_gone": "This folder does not exist any more.", "new.folder_forgotten": "This folder was forgotten; add it again.", "new.folder_busy": "The task “{title}” is changing this folder now. Wait for it or cancel it.", "new.folder_read": "The task “{title}” reads this folder and will see what this task changes.", "new.folder_overlap": "This folder overlaps another one of this task.",
  "new.range": "From {low} to {high}.", "new.memory_short": "Only {free} are free on this computer.", "new.memory_tight": "{free} are free: this leaves little for other programs.", "new.cpu_many": "This computer has {n}; more only makes a task slower.",
  "new.machines_full.one": "{n} machine is on, the limit of this computer. Finish or cancel that task first.", "new.machines_full.other": "{n} machines are on, the limit of this computer. Finish or cancel a task first.",
  "new.no_pack": "The runtime is not installed", "new.no_pack_text": "It is what tasks run in; it is installed once.",
  "new.means_folders": "Folders to write: {writes}, to read: {reads}.", "new.means_no_folder": "No folder: what the task makes is gone with its machine.", "new.means_model": "Only requests to {model} leave the machine.", "new.means_offline": "Nothing leaves the machine.",
  // settings
  "settings.packs": "Runtime", "settings.models": "Models", "settings.defaults": "New tasks", "settings.look": "Look", "settings.notifications": "Notifications", "settings.data": "Data", "settings.keys": "Keys",
  "settings.defaults_title": "What a new task begins with", "settings.defaults_hint": "A folder remembers its own last choice.", "look.title": "Appearance", "settings.place": "Where things are kept", "models.providers": "Providers", "settings.memory_hint": "{low} to {high}", "settings.folders": "Known folders", "settings.folders_hint": "You chose these; a task gets one only when you add it.", "settings.no_folders": "No folder was chosen yet.", "settings.forget": "Forget", "settings.forget_folder": "Forget this folder?", "settings.forget_folder_line": "“{name}” is no longer offered. The folder itself is not touched.",
  "settings.data_hint": "Runtime, tasks and settings are kept here.", "settings.move": "Move…", "settings.move_busy": "Not while tasks run", "settings.about": "About", "settings.version": "Version", "settings.platform": "Platform", "settings.switch": "Developer switch",
  "look.theme": "Theme", "look.theme_system": "As the system", "look.theme_light": "Light", "look.theme_dark": "Dark", "look.contrast": "Contrast", "look.contrast_normal": "Normal", "look.contrast_high": "High", "look.text_scale": "Text size", "look.motion": "Motion", "look.motion_system": "As the system", "look.motion_reduced": "Reduced", "look.language": "Language",
  "notifications.title": "On your desktop", "notifications.hint": "While you look at something else. They name the task and nothing that came out of its machine; a click shows it.", "notifications.needs_you": "A task needs you", "notifications.needs_you_hint": "A question, a set-up step, or pi waits for your message", "notifications.done": "A task is done", "notifications.done_hint": "It ended as completed", "notifications.failed": "A task failed", "notifications.failed_hint": "The machine, pi or pui itself ended it", "notifications.not_here": "Not possible right now",
  "packs.installed": "Installed", "packs.more": "More about the runtime", "packs.verify": "Verify every file", "packs.repair": "Repair", "packs.from_file": "Install from a file…", "packs.id": "Pack", "packs.signed": "Signed by", "packs.inside": "Inside",
  "packs.update_there": "Version {version} is available", "packs.update_size": "{download} to download, {size} on disk. It is tried before it replaces the one in use.", "packs.update": "Update", "packs.skip": "Skip this version", "packs.unskip": "Offer it again", "packs.skipped": "Version {version} is skipped.", "packs.check_failed": "Looking for updates failed: {message}",
  "packs.updates": "Updates", "packs.channel": "Source", "packs.no_channel": "None: there are no updates", "packs.set_channel": "Set…", "packs.root": "Trusted root", "packs.no_root": "None: nothing is taken from the source", "packs.root_words": "Version {version}, valid until {expires}", "packs.root_shipped": "came with pui", "packs.root_trust": "Trust a channel…", "packs.last_check": "Checked", "packs.never_checked": "Never checked", "packs.check": "Check now", "packs.auto_check": "Look for updates", "packs.auto_check_hint": "In the background, while pui is open.", "packs.interval": "How often", "packs.hours.one": "Every hour", "packs.hours.other": "Every {n} hours", "packs.days.one": "Every day", "packs.days.other": "Every {n} days", "packs.auto_download": "Install them by itself", "packs.auto_download_hint": "A machine is booted to try the new one; if it fails, the one before stays in use.", "packs.metered": "Also on a metered connection",
  "packs.disk": "Disk", "packs.disk_used": "{used} used by runtimes", "packs.disk_of": "{used} of {limit} used by runtimes", "packs.limit": "Limit", "packs.limit_hint": "Old runtimes go first.", "packs.no_limit": "No limit", "packs.clean_title": "Remove old runtimes?", "packs.clean_line": "The one in use and the previous one stay, so that you can roll back.", "rollback.words": "Why? (optional, kept in the journal)",
  "models.hint": "Keys stay on this computer and never enter a task's machine.", "models.default": "Used by default", "models.use": "Use by default", "models.key": "Key", "models.key_set": "Set,", "models.key_ends": "Set, ends", "models.name": "Name of a model", "models.name_of": "Model of {provider}", "models.no_key": "Not set", "models.set_key": "Set key…", "models.replace_key": "Replace…", "models.forget_key": "Forget", "models.source_keystore": "in the system's keystore", "models.source_file": "in a file only you can read", "models.source_memory": "in memory until pui ends", "models.source_environment": "from the environment", "models.source_": "",
  "models.address": "Address", "models.no_address": "Not set", "models.set_address": "Set address…", "models.models": "Models", "models.any": "Any that its server has", "models.forget_title": "Forget this key?", "models.forget_line": "Tasks can no longer use {provider} until a key is set again.",
  "models.key_title": "Key for {provider}", "models.key_once": "It is sent to pui once and never shown again. pui asks you once more in a window of its own.", "models.key_missing": "Enter a key.", "models.keep": "Where it is kept", "models.save_key": "Save key", "models.keep_keystore": "In the system's keystore", "models.keep_keystore_hint": "Locked with your login", "models.keep_file": "In a file", "models.keep_file_hint": "In pui's data folder; only your user can read it", "models.keep_memory": "In memory", "models.keep_memory_hint": "Gone when pui ends",
});
