"""Runtime packs on this computer.

In: a pack's two files, from a folder or an address. Out: an installed pack that was checked.
Never: a decision of its own on trust, paths or formats: those are in domain.
"""
