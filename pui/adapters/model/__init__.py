"""The model gateway of a task: the only way from a guest to a model, and the only holder of the key.

In: nothing. Out: nothing of its own; see gateway.py. Never: an import that others rely on.
"""
