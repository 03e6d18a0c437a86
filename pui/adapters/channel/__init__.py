"""A channel: a static folder at a web address whose signed metadata (TUF) says which pack is the newest.

In: addresses, keys, packs. Out: published folders, offered packs, downloads, bundles.
Never: an installation of its own; adapters/packs does that, whatever the channel says.
"""
