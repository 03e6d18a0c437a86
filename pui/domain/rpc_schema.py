"""Which records pi sends and which commands it takes: names and field types, as data.

In: nothing. Out: tables and one check. Never: state. Source: pi 1.5.2, docs/rpc.md and recorded sessions.
"""

from __future__ import annotations

from collections.abc import Mapping

from pui.domain.events import JsonValue

STR, DICT, LIST, BOOL, NUMBER = "text", "object", "list", "truth value", "number"
_TYPES: Mapping[str, tuple[type, ...]] = {
    STR: (str,),
    DICT: (dict,),
    LIST: (list,),
    BOOL: (bool,),
    NUMBER: (int, float),
}

Fields = Mapping[str, str]
"""Field name to type; a leading "?" in the type means that the field may be absent."""

_TOOL: Fields = {"toolCallId": STR, "toolName": STR}
_MESSAGE: Fields = {"message": DICT}

RECORDS: Mapping[str, Fields] = {
    "agent_start": {},
    "turn_start": {},
    "turn_end": {"message": DICT, "toolResults": LIST},
    "agent_end": {"messages": "?" + LIST, "willRetry": "?" + BOOL},
    "agent_settled": {"aborted": "?" + BOOL},
    "message_start": _MESSAGE,
    "message_update": {"assistantMessageEvent": DICT, "usage": "?" + DICT},
    "message_end": _MESSAGE,
    "tool_execution_start": {**_TOOL, "args": DICT},
    "tool_execution_update": {**_TOOL, "partialResult": DICT},
    "tool_execution_end": {**_TOOL, "result": DICT, "isError": BOOL, "durationMs": "?" + NUMBER},
    "queue_update": {"steering": LIST, "followUp": LIST},
    "entry_appended": {"entry": DICT},
    "session_info_changed": {"name": "?" + STR},
    "thinking_level_changed": {"level": STR},
    "compaction_start": {"reason": STR},
    "compaction_end": {"reason": STR, "aborted": BOOL, "errorMessage": "?" + STR},
    "auto_retry_start": {"attempt": NUMBER, "maxAttempts": NUMBER, "delayMs": NUMBER, "errorMessage": "?" + STR},
    "auto_retry_end": {"success": BOOL, "attempt": "?" + NUMBER, "finalError": "?" + STR},
    "summarization_retry_scheduled": {},
    "summarization_retry_attempt_start": {},
    "summarization_retry_finished": {},
    "bash_execution_update": {"id": "?" + STR, "delta": STR},
    "extension_error": {"extensionPath": STR, "event": STR, "error": STR},
}

RESPONSE: Fields = {"success": BOOL, "command": "?" + STR, "data": "?" + DICT, "error": "?" + STR}

_TITLE: Fields = {"id": STR, "title": STR, "timeout": "?" + NUMBER}
DIALOGS: Mapping[str, Fields] = {
    "select": {**_TITLE, "options": LIST},
    "confirm": {**_TITLE, "message": STR},
    "input": {**_TITLE, "placeholder": "?" + STR},
    "editor": {**_TITLE, "prefill": "?" + STR},
}
NOTICES: Mapping[str, Fields] = {
    "notify": {"message": STR, "notifyType": "?" + STR},
    "setStatus": {"statusKey": STR, "statusText": "?" + STR},
    "setWidget": {"widgetKey": STR, "widgetLines": "?" + LIST, "widgetPlacement": "?" + STR},
    "setTitle": {"title": STR},
    "set_editor_text": {"text": STR},
}

_TEXT: Fields = {"message": STR, "images": "?" + LIST}
COMMANDS: Mapping[str, Fields] = {
    "prompt": {**_TEXT, "streamingBehavior": "?" + STR},
    "steer": _TEXT,
    "follow_up": _TEXT,
    "clear_queue": {},
    "abort": {},
    "get_state": {},
    "get_messages": {},
    "get_entries": {"since": "?" + STR},
    "get_tree": {},
    "get_last_assistant_text": {},
    "get_session_stats": {},
    "get_commands": {},
    "set_model": {"provider": STR, "modelId": STR},
    "cycle_model": {},
    "get_available_models": {},
    "set_thinking_level": {"level": STR},
    "cycle_thinking_level": {},
    "get_available_thinking_levels": {},
    "set_steering_mode": {"mode": STR},
    "set_follow_up_mode": {"mode": STR},
    "set_auto_compaction": {"enabled": BOOL},
    "set_auto_retry": {"enabled": BOOL},
    "abort_retry": {},
    "compact": {"customInstructions": "?" + STR},
    "bash": {"command": STR, "excludeFromContext": "?" + BOOL},
    "abort_bash": {},
    "new_session": {"parentSession": "?" + STR},
    "switch_session": {"sessionPath": STR},
    "clone": {},
    "fork": {"entryId": STR},
    "get_fork_messages": {},
    "set_session_name": {"name": STR},
    "export_html": {"outputPath": "?" + STR},
}


def check_fields(value: Mapping[str, JsonValue], fields: Fields) -> list[str]:
    """Every field of `value` that is missing or of another type; empty when all is well."""
    faults = []
    for name, wanted in fields.items():
        kind = wanted.removeprefix("?")
        if name not in value or value[name] is None:
            faults += [] if wanted.startswith("?") else [f"`{name}` is missing"]
        elif not isinstance(value[name], _TYPES[kind]) or (kind == NUMBER and isinstance(value[name], bool)):
            faults.append(f"`{name}` is not a {kind}")
    return faults
