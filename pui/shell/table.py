"""The one place where the table of verbs is put together.

In: the desk. Out: the table that runs, the same for the window and for `pui serve`. Never: a verb of its own.
"""

from __future__ import annotations

from pui.shell.desk import Desk
from pui.shell.verbs import VerbTable
from pui.shell.verbs_agent import agent_verbs
from pui.shell.verbs_app import app_verbs
from pui.shell.verbs_attention import attention_verbs
from pui.shell.verbs_chart import chart_verbs
from pui.shell.verbs_conversation import conversation_verbs
from pui.shell.verbs_desktop import desktop_verbs
from pui.shell.verbs_diagnostics import diagnostics_verbs
from pui.shell.verbs_folder import folder_verbs
from pui.shell.verbs_model import model_verbs
from pui.shell.verbs_pack import pack_verbs
from pui.shell.verbs_settings import settings_verbs
from pui.shell.verbs_setup import setup_verbs
from pui.shell.verbs_task import task_verbs


def verb_table(desk: Desk) -> VerbTable:
    """Every verb of docs/bridge.md. A new file of verbs gets its line here."""
    return VerbTable(
        [
            *app_verbs(desk),
            *attention_verbs(desk),
            *folder_verbs(desk),
            *desktop_verbs(desk),
            *chart_verbs(desk),
            *diagnostics_verbs(desk),
            *settings_verbs(desk),
            *model_verbs(desk),
            *setup_verbs(desk),
            *pack_verbs(desk),
            *task_verbs(desk),
            *conversation_verbs(desk),
            *agent_verbs(desk),
        ]
    )
