"""Serving on a CPU: packed weights, and a forward pass made for one token at a time.

`weights` loads a base from its files, and says which bases it supports; `precision` chooses how
each matrix is stored and `quantized_linear` packs it; `layout` fuses matrices; `network` is the
forward pass, with `single_token` for decode steps; `lora` loads an adapter, applied beside the
packed weights; `prompt_cache` keeps KV caches from one prompt to the next; `decoder` puts them
together. Other bases and devices use transformers' own model (`core.serving.transformers_decoder`).
"""
