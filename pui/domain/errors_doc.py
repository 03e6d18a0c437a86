"""docs/errors.md, made from the error table.

In: errors.CODES. Out: the Markdown text. Never: a file.
"""

from __future__ import annotations

from pui.domain.errors import CODES

_HEAD = """# Errors

Every error that pui shows has a stable code. This page is made from the table that the program uses
(`make docs`); a test fails when it is stale.

*Try again*: `again` = it may work the next time; `after_setup` = do what the hint says first;
`never` = the same request will fail again; `unknown` = look at the result before you repeat it.

| code | meaning | what to do | try again |
|---|---|---|---|
"""


def render_errors_doc() -> str:
    """One table row per code, in the order of the table."""
    rows = [f"| `{code}` | {info.meaning} | {_cell(info.hint)} | {info.retry} |\n" for code, info in CODES.items()]
    return _HEAD + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
