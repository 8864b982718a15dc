"""Why a version was held back, or its training ended early: written in English, told in any.

The reasons stand in manifests and reports, which outlast the choice of a language. So they are kept
as the English sentences they are, and put into the person's language where they are shown.
"""

import re

from store.i18n import N_, _

HOLDOUT_ROSE = N_("hold-out loss rose from {before} to {after}")
PROBES_ROSE = N_("probe loss rose by {rise}")
REPLIES_RAN_ON = N_("only {share} of the probe replies end by themselves ({before} before)")
STRAYED = N_("the policy went {distance} nats a token further from the base")
ROLLOUTS_RAN_ON = N_("{share} of the replies no longer ended")

_ALL = (HOLDOUT_ROSE, PROBES_ROSE, REPLIES_RAN_ON, STRAYED, ROLLOUTS_RAN_ON)


def told(reason: str) -> str:
    """`reason` in the person's language; one that is not known here stays as it is."""
    for sentence in _ALL:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(sentence))
        if match := re.fullmatch(pattern, reason):
            return _(sentence).format(**match.groupdict())
    return _(reason)
