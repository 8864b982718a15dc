"""Count what there is to learn from, and find what is missing.

Kinds, labels and reasons count records. Everything else counts *samples*: one piece of feedback (a
thumb or a correction) or one imported row, however many records it wrote. Ten careful samples of
the right kind are worth a thousand of the wrong one, so the gaps say what to teach next, most
useful first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from data.quality.language_detection import language_of
from data.quality.task_labels import DEFAULT_RULES, OTHER, TASKS, Rules, task_of
from store.i18n import N_, _, ngettext
from store.records import KINDS, REASONS, Instruction, Preference, Record, Verdict

LIKED, DISLIKED = N_("liked"), N_("disliked")
LENGTHS = (N_("up to 100 characters"), N_("101 to 400"), N_("401 to 1,600"), N_("longer"))
_LIMITS = (100, 400, 1600)

_FEW = 4
"""A task with fewer samples counts as thin."""
_ENOUGH_TO_SAY = 12
"""With fewer samples, a missing task or a lack of variety means nothing yet."""
_ONE_SIDED = 0.9


@dataclass(frozen=True)
class Needs:
    """How many records a training pass needs to be worth running."""

    instructions: int = 4
    preferences: int = 20
    of_each_label: int = 4


@dataclass(frozen=True)
class Statistics:
    """Counts, each in display order; only the first three dicts may contain zeros."""

    records: int
    excluded: int
    """Records that are kept but not trained on; no pass counts them."""
    lessons: int
    """Number of samples."""
    kinds: dict[str, int]
    trained: dict[str, int]
    """Records that were learned already, by kind."""
    labels: dict[str, int]
    reasons: dict[str, int]
    tasks: dict[str, int]
    languages: dict[str, int]
    lengths: dict[str, int]
    """Lengths of the replies to learn."""
    sources: dict[str, int]
    gaps: tuple[str, ...]
    """What is missing, one sentence each, most useful first."""


def reply_of(record: Record) -> str:
    """Return the reply a record is about; of a pair, the preferred one."""
    return record.chosen if isinstance(record, Preference) else record.completion


def question_of(record: Record) -> str:
    """Return the last question."""
    return next((m.content for m in reversed(record.prompt) if m.role == "user"), "")


def length_of(record: Record) -> str:
    """Return the bucket of a record's reply in `LENGTHS`."""
    size = len(reply_of(record))
    return LENGTHS[sum(size > limit for limit in _LIMITS)]


def statistics(
    records: Sequence[Record],
    learned: frozenset[str] = frozenset(),
    rules: Rules = DEFAULT_RULES,
    needs: Needs = Needs(),
) -> Statistics:
    """Count live records.

    Args:
        learned: Ids of the records that the active adapter and the reward model have learned.
        needs: What the passes need; the gaps say what is missing.
    """
    samples = list({record.act: record for record in records}.values())
    verdicts = [record for record in records if isinstance(record, Verdict)]
    labels = Counter(LIKED if verdict.label else DISLIKED for verdict in verdicts)
    kinds = Counter(record.kind for record in records)
    trained = Counter(record.kind for record in records if record.id in learned)
    tasks = _counted((task_of(record.prompt, rules) for record in samples), TASKS)
    languages = _counted(language_of(question_of(record)) for record in samples)
    lengths = _counted(map(length_of, samples), LENGTHS)
    sources = _counted(record.origin.source for record in samples)
    gaps = (
        *_missing_records([record for record in records if not record.excluded], needs),
        *_uncorrected(records, verdicts),
        *_unreasoned(verdicts),
        *_thin(tasks, len(samples)),
        *_one_sided(lengths, len(samples)),
        *_outnumbered(sources, len(samples)),
    )
    return Statistics(
        records=len(records),
        excluded=sum(record.excluded for record in records),
        lessons=len(samples),
        kinds={kind: kinds[kind] for kind in KINDS},
        trained={kind: trained[kind] for kind in KINDS},
        labels={label: labels[label] for label in (LIKED, DISLIKED)},
        reasons=_counted((reason for v in verdicts for reason in v.reasons), REASONS),
        tasks=tasks,
        languages=languages,
        lengths=lengths,
        sources=sources,
        gaps=gaps,
    )


def _counted(names: Iterable[str], order: Sequence[str] = ()) -> dict[str, int]:
    """How often each name occurs: first in the given order, then most frequent first."""
    found = Counter(names)
    ordered = {name: found[name] for name in order if name in found}
    return ordered | {name: count for name, count in found.most_common() if name not in ordered}


# -- gaps ------------------------------------------------------------------------------------------


def _missing_records(trainable: Sequence[Record], needs: Needs) -> Iterable[str]:
    kinds = Counter(record.kind for record in trainable)
    labels = Counter(record.label for record in trainable if isinstance(record, Verdict))
    if not kinds:
        yield _("Nothing has been taught yet: rate a reply, or correct one.")
        return
    if kinds["instruction"] < needs.instructions:
        yield _too_few_replies(kinds["instruction"]).format(
            count=kinds["instruction"], wanted=needs.instructions
        )
    liked, disliked = labels[True], labels[False]
    if labels and min(liked, disliked) < needs.of_each_label:
        yield _("{liked} 👍 and {disliked} 👎: KTO wants {wanted} of each.").format(
            liked=liked, disliked=disliked, wanted=needs.of_each_label
        )
    if kinds["preference"] < needs.preferences:
        yield _too_few_pairs(kinds["preference"]).format(
            count=kinds["preference"], wanted=needs.preferences
        )


def _too_few_replies(count: int) -> str:
    if not count:
        return _("No good replies to imitate: SFT wants {wanted}. Correct a reply, or give a 👍.")
    return ngettext(
        "{count} good reply to imitate: SFT wants {wanted}. Correct a reply, or give a 👍.",
        "{count} good replies to imitate: SFT wants {wanted}. Correct a reply, or give a 👍.",
        count,
    )


def _too_few_pairs(count: int) -> str:
    if not count:
        return _(
            "No pairs of a better and a worse reply: DPO and the reward model want {wanted}. "
            "Each correction makes one."
        )
    return ngettext(
        "{count} pair of a better and a worse reply: DPO and the reward model want {wanted}. "
        "Each correction makes one.",
        "{count} pairs of a better and a worse reply: DPO and the reward model want {wanted}. "
        "Each correction makes one.",
        count,
    )


def _uncorrected(records: Sequence[Record], verdicts: Sequence[Verdict]) -> Iterable[str]:
    corrected = {record.message_id for record in records if isinstance(record, Instruction)}
    alone = sum(
        not verdict.label and verdict.message_id is not None and verdict.message_id not in corrected
        for verdict in verdicts
    )
    if alone:
        yield ngettext(
            "{count} disliked reply has no correction, which would teach what to say instead.",
            "{count} disliked replies have no correction, which would teach what to say instead.",
            alone,
        ).format(count=alone)


def _unreasoned(verdicts: Sequence[Verdict]) -> Iterable[str]:
    disliked = [verdict for verdict in verdicts if not verdict.label and verdict.message_id]
    bare = sum(not verdict.reasons and not verdict.comment for verdict in disliked)
    if len(disliked) >= _FEW and bare > len(disliked) / 2:
        yield _("{bare} of your {count} 👎 give no reason.").format(bare=bare, count=len(disliked))


def _thin(tasks: Mapping[str, int], samples: int) -> Iterable[str]:
    if samples < _ENOUGH_TO_SAY:
        return
    rare = {task: tasks.get(task, 0) for task in TASKS if task != OTHER}
    thin = [f"{_(name)} ({count})" for name, count in rare.items() if count < _FEW]
    if thin:
        yield _("Few or no samples: {tasks}.").format(tasks=_(", ").join(thin))


def _one_sided(lengths: Mapping[str, int], samples: int) -> Iterable[str]:
    for name, count in lengths.items():
        if samples >= _ENOUGH_TO_SAY and count > _ONE_SIDED * samples:
            yield (
                _(
                    "{share:.0%} of the replies have a similar length ({name}): the model will "
                    "learn that length too."
                ).format(share=count / samples, name=_(name))
            )


def _outnumbered(sources: Mapping[str, int], samples: int) -> Iterable[str]:
    own = sources.get("chat", 0) + sources.get("compare", 0)
    if 0 < own < (1 - _ONE_SIDED) * samples:
        yield _(
            "Only {own} of {lessons} samples are your own: the imported ones will set the tone."
        ).format(own=own, lessons=samples)
