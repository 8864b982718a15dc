"""Model hubs: parse model ids, and download models completely and verified.

`core.models` turns the result into a model folder.
"""
