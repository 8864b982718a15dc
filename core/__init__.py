"""The model: find it, answer with it, train it.

The libraries below read their environment once, when they are loaded, so it is set here, before any
module of this package can load them. What a person has set stays.
"""

import logging
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TQDM_DISABLE"] = "1"
# The tokenizers library warns on stderr when a process forks after it has used threads.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# GNU OpenMP's threads wait for each other by spinning. Beside any other busy program that makes a
# training step up to ten times slower; to spin only briefly costs an idle machine nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# What torch cannot do on a Mac's card yet, it does on the processor instead of failing.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
# bitsandbytes tells the terminal what would make it faster, whoever imports it first.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
