"""The model: find it, answer with it, train it.

The libraries read their environment once, when they are loaded, so it is set here, before any
module of this package can load them. Values that the user has set stay, except those that keep the
libraries offline and silent.
"""

import logging
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TQDM_DISABLE"] = "1"
# The tokenizers library warns on stderr when a process forks after it has used threads.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# GNU OpenMP's threads wait for each other by spinning, which slows training down several times
# beside any other busy program; to spin only briefly costs an idle machine nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# Operations that torch lacks on a Mac's GPU run on the CPU instead of failing.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
# bitsandbytes prints advice about speed when it is imported.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
