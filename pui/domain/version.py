"""The version of pui, for whoever must not wait for the metadata of the installation.

In: nothing. Out: one constant, which the wheel is named by too (pyproject.toml). Never: anything else.
"""

VERSION = "0.1.0"
