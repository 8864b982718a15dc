"""Model hubs: what a model id means, and how its files reach this machine, checked and complete.

`core.models` makes a model folder of them.
"""
