"""Why a version was held back or its training stopped early: stored in English, shown translated.

Manifests and reports store these reasons and outlast the user's choice of language, so they hold
English sentences that are matched against the templates below when shown. Never change a template,
and never remove one: stored reasons would no longer be translated.
"""

import re

from store.i18n import N_, _

HOLDOUT_ROSE = N_("hold-out loss rose from {before} to {after}")
PROBES_ROSE = N_("probe loss rose by {rise}")
REPLIES_RAN_ON = N_("only {share} of the probe replies end by themselves ({before} before)")
DRIFTED = N_("replies drifted {drift} nats a token from the base (limit {limit})")
DRIFT_ROSE = N_("replies drifted {rise} nats a token further from the base (limit {limit})")
LENGTH_CHANGED = N_("probe replies went from {before} to {after} characters on average")
SAME_REPLY = N_("{share} of the probes got the same reply, “{reply}”")
PAIRS_FELL = N_("held-out pairs ranked right fell from {before} to {after}")
THUMBS_FELL = N_("liked held-out replies lost {fall} nats against disliked ones")
REWARD_FELL = N_("mean reward on held-out prompts fell from {before} to {after}")
STRAYED = N_("the policy went {distance} nats a token further from the base")
ROLLOUTS_RAN_ON = N_("{share} of the replies no longer ended")

_ALL = (
    HOLDOUT_ROSE,
    PROBES_ROSE,
    REPLIES_RAN_ON,
    DRIFTED,
    DRIFT_ROSE,
    LENGTH_CHANGED,
    SAME_REPLY,
    PAIRS_FELL,
    THUMBS_FELL,
    REWARD_FELL,
    STRAYED,
    ROLLOUTS_RAN_ON,
)


def translated(reason: str) -> str:
    """Return a stored reason in the user's language; an unknown one stays as it is."""
    for sentence in _ALL:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(sentence))
        if match := re.fullmatch(pattern, reason, re.DOTALL):
            return _(sentence).format(**match.groupdict())
    return _(reason)
