// @ts-check
/**
 * The words of the task's view. In: nothing. Out: words added to the catalogue of strings.js. Never: markup.
 */
import { addStrings } from "./strings.js";

addStrings({
  "task.tabs": "Parts of the task", "task.tab.conversation": "Conversation", "task.tab.changes": "Changes", "task.tab.diagram": "State diagram", "task.tab.diagnostics": "Diagnostics",
  "task.tab.changed.one": "{n} file changed", "task.tab.changed.other": "{n} files changed", "task.tab.flagged.one": "{n} file to look at closely", "task.tab.flagged.other": "{n} files to look at closely",
  "task.gone": "This task cannot be shown", "task.gone.again": "Try again",
  // header
  "task.facts.more": "All facts", "task.facts.less": "Fewer facts",
  "task.fact.accelerator": "Accelerator", "task.fact.jail": "Jail", "task.fact.jailed": "Jailed", "task.fact.not_jailed": "Not jailed", "task.fact.network": "Network", "task.fact.model": "Model",
  "task.fact.size": "Machine", "task.fact.size_value": "{cpus} CPU · {memory}", "task.fact.disk": "Disk in use", "task.fact.cache": "Cache volume", "task.fact.pack": "Runtime", "task.fact.thinking": "Thinking at start", "task.fact.made": "Made",
  "task.fact.folder": "Folder", "task.fact.share": "Sharing", "task.fact.on": "On", "task.fact.off": "Off", "task.fact.is_in_machine": "is in the machine",
  // transcript
  "task.log.label": "Conversation", "task.log.loading": "Loading what was said before…", "task.log.new.one": "{n} new", "task.log.new.other": "{n} new", "task.log.to_end": "To the end",
  "task.entry.user": "You", "task.entry.text": "Agent", "task.entry.thinking": "Thinking", "task.entry.tool": "Tool", "task.entry.error": "Error", "task.entry.notice": "Notice", "task.entry.more": "Show all", "task.entry.less": "Show less",
  "task.tool.unnamed": "tool", "task.tool.running": "Running", "task.tool.done": "Done", "task.tool.failed": "Failed", "task.tool.output": "output",
  "task.code.plain": "text", "task.code.label": "Code: {language}", "task.copy": "Copy", "task.copied": "Copied", "task.copy_failed": "Could not copy",
  "task.table": "Table", "task.todo.done": "Done", "task.todo.open": "To do", "task.image": "image", "task.image_named": "image: {name}", "task.image_number": "Image {n}",
  "task.diff.caption": "Changed lines", "task.diff.more": "Show more lines",
  "task.link.not_yet": "This link cannot be opened (yet): pui opens links of finished messages only.",
  // way
  "task.way.label": "Way to the running machine", "task.way.created": "Nothing has been started yet.", "task.way.preflight": "Check this computer", "task.way.overlay-prep": "Prepare the disk", "task.way.qemu-launch": "Start the machine", "task.way.handshake": "Boot and wait for pi",
  "task.setup.title": "This computer needs something first", "task.setup.go": "Set up this computer",
  // composer
  "task.composer.label": "Message to the agent", "task.composer.write_here": "What next? / for commands, @ for files", "task.composer.steer_here": "Steer the agent while it works…", "task.composer.not_yet": "You can write already; sending works once pi is there.",
  "task.composer.send": "Send", "task.composer.steer": "Steer", "task.composer.follow_up": "Queue", "task.composer.stop": "Stop",
  "task.composer.send_meaning": "Send to the agent", "task.composer.steer_meaning": "The agent reads it at the next turn of this run", "task.composer.follow_up_meaning": "The agent reads it when this run is over", "task.composer.stop_meaning": "Stop the run; queued messages come back into the editor",
  "task.composer.no_finish": "Only a running task can be finished.",
  "task.queue.label": "Messages that wait", "task.queue.steering": "next", "task.queue.follow_up": "after", "task.queue.up": "Earlier", "task.queue.down": "Later", "task.queue.edit": "Take back into the editor", "task.queue.remove": "Remove",
  "task.suggest.command": "Commands", "task.suggest.file": "Files of the workspace", "task.source.pui": "pui", "task.source.extension": "extension", "task.source.prompt": "prompt", "task.source.skill": "skill", "task.source.other": "pi",
  "task.command.compact": "Sum up the conversation; words after it say what matters", "task.command.model": "Use another model: /model name", "task.command.thinking": "Use another thinking level: /thinking level", "task.command.finish": "End the task as completed",
  "task.model.none": "No model", "task.model.change": "Use another model", "task.model.title": "Model of this task", "task.model.search": "Name or provider", "task.model.nothing": "No model fits.", "task.model.hint": "It answers from the next turn on. Keys stay with pui; the machine never sees them.", "task.model.no_match": "No model fits “{query}”.",
  "task.thinking.change": "Thinking level", "task.thinking.no_match": "There is no level “{level}”. Levels: {levels}.",
  "task.picture.too_many": "At most {n} pictures go with a message.", "task.picture.remove": "Remove image {n}",
  "task.hidden.title.one": "The text has a character that cannot be seen", "task.hidden.title.other": "The text has {n} characters that cannot be seen", "task.hidden.remove": "Remove them",
  "task.continue.here": "This task is over. A message continues it in a fresh machine.", "task.continue.meaning": "A new task with the same folders, model and network; the agent knows the whole conversation", "task.continue.here_on": "Continued in a fresh machine",
  "task.branch.here": "Edit this message and branch from here", "task.branch.title": "Branch before this message.", "task.branch.meaning": "A fresh machine begins with the conversation up to here and does not know what follows.", "task.branch.files": "Only the conversation goes back: files in the folders are as they are now.", "task.branch.writes": "This task may still write into its folder. Two machines never do so at one time: finish it first.", "task.branch.pictures": "The pictures of the message do not go along; add them again if they matter.",
  "task.branch.here_label": "The message, written anew", "task.branch.write": "What do you say instead?", "task.branch.send": "Branch", "task.branch.send_meaning": "A new task with the same folders, model and network", "task.branch.give_up": "Close", "task.branch.from_here": "Branches before this message",
  "task.find.label": "Find in the conversation", "task.find.query": "Find", "task.find.previous": "Previous place", "task.find.next": "Next place", "task.find.close": "Close", "task.find.searching": "Searching…", "task.find.nothing": "Nothing found", "task.find.entry": "Entry {at} of {n}", "task.find.place": "place {at} of {n}", "task.find.newest": "(only the newest part was searched)",
  "task.elsewhere": "This task runs in another pui", "task.elsewhere.text": "What it says and changes is shown here a few seconds later. Write to it, finish or cancel it where it was started.",
  "task.outcome.completed": "Completed", "task.outcome.cancelled": "Cancelled", "task.outcome.failed": "Failed",
  // guest
  "task.guest.from_inside": "from inside the machine", "task.guest.asks": "The guest asks", "task.guest.says": "The guest says", "task.guest.cannot": "Not possible in a window",
  "task.guest.no_title": "(a question without words)", "task.guest.place": "{place} of {count}", "task.guest.meaning": "This is not pui: a program in the machine wrote it. The answer goes to that program and grants nothing on this computer.",
  "task.guest.countdown": "{time} left", "task.guest.countdown_meaning": "Without an answer the question closes by itself", "task.guest.yes": "Yes", "task.guest.no": "No", "task.guest.cancel": "No answer", "task.guest.send": "Answer", "task.guest.dismiss": "Close",
  "task.guest.widget": "Shown by the guest: {name}", "task.guest.status": "Shown by the guest: {name}", "task.guest.title": "The guest calls this", "task.guest.wrote_editor": "The guest wrote a text into the editor. Nothing is sent until you send it.", "task.guest.proposes": "The guest proposes a text", "task.guest.use": "Use it",
  // status line
  "task.line.compacting": "Summing up the conversation…", "task.line.odd.one": "{n} odd line", "task.line.odd.other": "{n} odd lines", "task.line.odd_meaning": "The machine sent lines that are no records; they were left out.",
  "task.line.tokens_meaning": "Tokens: {input} in, {output} out, {cache_read} from the cache, {cache_write} into it", "task.line.cost": "Cost as pi reports it",
  "task.line.retry": "Attempt {attempt} of {max} in {time}", "task.line.retry_stop": "Stop trying",
  "task.line.context": "{percent} % of the context is used: {tokens} of {window} tokens", "task.line.context_full": "{percent} % of the context is used: {tokens} of {window} tokens. Sum up soon.", "task.line.compact": "Sum up", "task.line.compact_meaning": "Replace the conversation by a summary, for the model only",
  // changes
  "task.changes.loading": "Looking at the folders…", "task.changes.none": "Nothing has changed", "task.changes.none_text": "No file differs from when the task began.", "task.changes.no_folder": "No folder", "task.changes.no_folder_text": "This task has no folder of yours, so nothing of yours can change.",
  "task.changes.list": "Changed files", "task.changes.search": "Find a file", "task.changes.no_match": "No file fits.", "task.changes.mode": "Way to show a diff", "task.changes.unified": "Unified", "task.changes.split": "Split", "task.changes.refresh": "Look again",
  "task.changes.total.one": "{n} file", "task.changes.total.other": "{n} files", "task.changes.flagged.one": "{n} file can make your computer run something later", "task.changes.flagged.other": "{n} files can make your computer run something later", "task.changes.flag": "Look closely",
  "task.changes.incomplete": "The folder is too large to look at all of it: more may have changed.", "task.changes.as_of": "as of {time}", "task.changes.final": "at the end of the task", "task.changes.late": "compared {time}", "task.changes.unknown": "Nothing to compare", "task.changes.no_diff": "No lines to show: the file is binary, too large, or only its properties changed.",
  "task.changes.added": "new", "task.changes.removed": "removed", "task.changes.changed": "changed", "task.changes.next": "Next file", "task.changes.previous": "Previous file", "task.changes.read_only": "read only",
  // diagram
  "task.diagram.chart": "Chart", "task.diagram.task": "Task", "task.diagram.agent": "Agent", "task.diagram.pack": "Runtime", "task.diagram.setup": "Set-up", "task.diagram.label": "State diagram of the {name}", "task.diagram.zoom_in": "Larger", "task.diagram.zoom_out": "Smaller", "task.diagram.fit": "Fit", "task.diagram.save": "Save the diagram",
  "task.diagram.save_svg": "Save as SVG", "task.diagram.save_png": "Save as PNG", "task.diagram.save_mermaid": "Save as Mermaid text", "task.diagram.saved": "Saved as {name}.", "task.diagram.scrub": "Step {n} of {total}", "task.diagram.live": "Now", "task.diagram.back": "Step back", "task.diagram.on": "Step on",
  "task.diagram.now": "In “{state}” for {time}", "task.diagram.then": "Was in “{state}” for {time}", "task.diagram.ended": "Ended in “{state}”", "task.diagram.table": "As a table", "task.diagram.picture": "As a picture", "task.diagram.view": "Show the chart",
  "task.diagram.state": "State", "task.diagram.visits": "Visits", "task.diagram.spent": "Time", "task.diagram.ways_out": "Ways out", "task.diagram.timeout": "Timeout", "task.diagram.activity": "Activity", "task.diagram.path": "Way so far", "task.diagram.at": "At", "task.diagram.trigger": "Trigger", "task.diagram.from_to": "From → to",
  "task.diagram.wire": "{source} to {target}, by {triggers}", "task.diagram.not_taken": "This way was not taken.", "task.diagram.taken": "Step {n}: {source} → {target}", "task.diagram.cause": "What caused it", "task.diagram.close": "Close", "task.diagram.no_record": "The journal record is not here.", "task.diagram.no_records_kept": "This chart keeps no journal of its own.", "task.diagram.refused.one": "{n} trigger refused", "task.diagram.refused.other": "{n} triggers refused",
  "task.diagram.hint": "Click an arrow to see what caused it. Scroll to zoom, drag to move, + − 0 on the keyboard.", "task.diagram.no_trace": "No way yet", "task.diagram.visit_count": "{n} visits", "task.diagram.final": "final", "task.diagram.after": "after {time}",
  // diagnostics
  "task.diag.boot": "Boot", "task.diag.states": "States", "task.diag.serial": "Serial log", "task.diag.qemu": "QEMU log", "task.diag.qmp": "QMP events", "task.diag.journal": "Journal", "task.diag.app": "pui log", "task.diag.sections": "Parts of the diagnostics", "task.diag.overview": "Overview", "task.diag.files": "Files of the task",
  "task.boot.qemu": "QEMU starts", "task.boot.firmware": "Firmware", "task.boot.init": "Kernel starts", "task.boot.modules": "Drivers", "task.boot.root": "File system", "task.boot.pid1": "Guest program", "task.boot.ports": "Ports", "task.boot.configured": "Set up by pui", "task.boot.spawn": "pi starts", "task.boot.answer": "pi answers", "task.boot.kernel": "Firmware and kernel", "task.boot.hello": "Waiting for the guest program",
  "task.diag.bundle": "Save redacted bundle", "task.diag.bundle_meaning": "Journal and logs in a zip, without keys, tokens, your home folder's name and the conversation", "task.diag.saved": "Saved as {name}.", "task.diag.empty": "Nothing was written.", "task.diag.no_boot": "The machine has not booted yet.", "task.diag.refresh": "Read again", "task.diag.filter": "Filter", "task.diag.filter_records": "Filter records", "task.diag.count.one": "{n} record", "task.diag.count.other": "{n} records",
  "task.diag.seq": "No.", "task.diag.time": "Time", "task.diag.type": "Type", "task.diag.what": "What", "task.diag.caused_by": "Cause", "task.diag.event": "Event", "task.diag.detail": "Detail", "task.diag.to_cause": "Go to record {seq}, the cause", "task.diag.stage": "Stage", "task.diag.since_start": "Since the start", "task.diag.total": "in all", "task.diag.all_types": "All types", "task.diag.open_record": "Show record {seq}",
  "task.journal.failed": "The journal could not be read.",
});
