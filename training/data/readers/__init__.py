"""Readers of picture sources of any size: folders, shards (.tar) and data sets of `datasets`.

Each reads a source in parts, one after another or by several processes, and keeps none of it.
"""
