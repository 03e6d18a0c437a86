"""An extension of pi for tasks with the demo model: one question of each kind, something in every place of the screen.

In: nothing. Out: its source. Never: a part of a task with a real model; a word that hides that it is a demo.
Source: pi 1.5.2 docs/extensions.md (registerCommand, ctx.ui).
"""

from __future__ import annotations

COMMAND = "demo-questions"

SOURCE = b"""\
// pui's demo: shows how questions of an extension look. It does nothing else.
export default function (pi) {
  pi.registerCommand("demo-questions", {
    description: "Demo: ask one question of each kind (select, confirm, input, editor)",
    handler: async (_args, ctx) => {
      const ui = ctx.ui;
      ui.setTitle("Demo questions");
      ui.setStatus("pui-demo", "demo: asking");
      ui.setWidget("pui-demo", ["Demo widget", "  an extension can put lines here"]);
      const colour = await ui.select("Demo: which colour?", ["Red", "Green", "Blue"]);
      const hint = "This one closes by itself after a minute.";
      const isSure = await ui.confirm("Demo: are you sure?", hint, { timeout: 60000 });
      const name = await ui.input("Demo: a name?", "any text");
      const text = await ui.editor("Demo: edit these lines", "first line\\nsecond line");
      ui.setStatus("pui-demo", undefined);
      ui.setWidget("pui-demo", undefined);
      ui.setEditorText("This text was put here by the demo extension.");
      const said = [colour, isSure, name, text].map((answer) => JSON.stringify(answer) ?? "no answer");
      ui.notify("Demo: you answered " + said.join(", "), "info");
    },
  });
}
"""
