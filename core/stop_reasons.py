"""Why a version was held back or its training stopped early: stored in English, shown translated.

Manifests and reports store these reasons and outlast the user's choice of language, so they hold
English sentences that are matched against the templates below when shown. Never change a template:
stored reasons would no longer be translated.
"""

import re

from store.i18n import N_, _

HOLDOUT_ROSE = N_("hold-out loss rose from {before} to {after}")
PROBES_ROSE = N_("probe loss rose by {rise}")
REPLIES_RAN_ON = N_("only {share} of the probe replies end by themselves ({before} before)")
STRAYED = N_("the policy went {distance} nats a token further from the base")
ROLLOUTS_RAN_ON = N_("{share} of the replies no longer ended")

_ALL = (HOLDOUT_ROSE, PROBES_ROSE, REPLIES_RAN_ON, STRAYED, ROLLOUTS_RAN_ON)


def translated(reason: str) -> str:
    """Return a stored reason in the user's language; an unknown one stays as it is."""
    for sentence in _ALL:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(sentence))
        if match := re.fullmatch(pattern, reason):
            return _(sentence).format(**match.groupdict())
    return _(reason)
