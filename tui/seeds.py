"""Where the seed of a reply comes from."""

import random


def random_seed() -> int:
    """Any seed; it is kept with the reply, which can be drawn again with it."""
    return random.randrange(2**31)
