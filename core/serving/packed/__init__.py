"""The model that answers on a processor: packed weights, and a decoding loop of its own.

`support` says which bases it can serve; `precision` chooses how their weights are kept; `linear`
packs a matrix; `network` is the model itself, read from the base's files and run forward;
`adapter` is what was learned, applied beside the packed weights; `cache` keeps what was read from
one prompt to the next; `decoder` puts them together. Every other base, and every other device, is
served by transformers' own model (`core.serving.transformers_decoder`).
"""
