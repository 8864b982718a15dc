"""Where base models come from: model hubs, GGUF files, and a short list of ones to begin with.

`core.models.find` is the way in; it asks `core.sources.names` what an id means, and has it fetched
by `core.sources.hubs` or converted by `core.sources.gguf`.
"""
