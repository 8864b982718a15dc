"""Find problems among the records as a whole: contradictions, secrets, overlong records,
repetitions.

Nothing is changed or left out here: each finding names the records, and the user decides. One piece
of feedback often wrote several records (a 👍 a verdict and an instruction), and is reported once.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from data.quality import near_duplicates
from data.quality.statistics import question_of
from store.feedback import dedup_key
from store.i18n import N_, _
from store.records import Instruction, Preference, Record, Verdict

CONTRADICTION = N_("contradiction")
SECRET = N_("secret")
TOO_LONG = N_("too long")
REFUSED = N_("refused by the chat template")
DUPLICATE = N_("duplicate")
NEAR_DUPLICATE = N_("near duplicate")
KINDS = (CONTRADICTION, SECRET, TOO_LONG, REFUSED, DUPLICATE, NEAR_DUPLICATE)
"""In the order reported, most harmful first."""

_QUOTED = 50
"""Characters of the question quoted so that a user recognizes the record."""


@dataclass(frozen=True)
class Finding:
    kind: str
    """One of `KINDS`."""
    record_ids: tuple[str, ...]
    """The records concerned, oldest first."""
    message: str
    """The problem in one sentence; never the secret itself."""


def check(
    records: Sequence[Record],
    lengths: Mapping[str, int] | None = None,
    limit: int | None = None,
    refused: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check all records together, and return the findings, by kind in the order of `KINDS`.

    Args:
        records: Live records, oldest first.
        lengths: Tokens of prompt and reply by record id; records not listed fit.
        limit: Tokens that fit.
        refused: The chat template's reason by id of each record that it refuses.
    """
    return [
        *_contradictions(records),
        *_secrets(records),
        *_too_long(records, lengths or {}, limit),
        *_refused(records, refused or {}),
        *_repetitions(records),
    ]


def _finding(kind: str, records: Sequence[Record], matter: str) -> Finding:
    from data.quality.secrets import redact

    question = redact(" ".join(question_of(records[0]).split()))
    quoted = question if len(question) <= _QUOTED else question[: _QUOTED - 1] + "…"
    return Finding(
        kind,
        tuple(record.id for record in records),
        _("{matter}: “{question}”").format(matter=matter, question=quoted),
    )


def _grouped(records: Iterable[Record], key: Callable[[Record], Hashable]) -> list[list[Record]]:
    """The records by key, in the order of each key's first record."""
    found: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        found[key(record)].append(record)
    return list(found.values())


# -- contradictions --------------------------------------------------------------------------------


def _contradictions(records: Sequence[Record]) -> Iterator[Finding]:
    chosen = {(r.act, r.chosen) for r in records if isinstance(r, Preference)}
    for group in _grouped(records, lambda record: record.prompt):
        if len(group) > 1:
            yield from _liked_and_disliked(group)
            yield from _corrected_differently(group, chosen)
            yield from _reversed(group)


def _liked_and_disliked(group: Sequence[Record]) -> Iterator[Finding]:
    judged = [record for record in group if not isinstance(record, Preference)]
    for same in _grouped(judged, lambda record: record.completion.strip()):  # type: ignore[union-attr]
        if len({not isinstance(record, Verdict) or record.label for record in same}) > 1:
            yield _finding(CONTRADICTION, same, _("The same reply is liked and disliked"))


def _corrected_differently(
    group: Sequence[Record], chosen: set[tuple[str, str]]
) -> Iterator[Finding]:
    """A correction is an instruction preferred in the same `act`; two liked replies may differ."""
    corrections = [
        record
        for record in group
        if isinstance(record, Instruction) and (record.act, record.completion) in chosen
    ]
    replies = {record.completion.strip() for record in corrections}
    if len(replies) > 1:
        yield _finding(
            CONTRADICTION,
            corrections,
            _("The same prompt has {count} different corrections").format(count=len(replies)),
        )


def _reversed(group: Sequence[Record]) -> Iterator[Finding]:
    pairs = [record for record in group if isinstance(record, Preference)]
    for same in _grouped(pairs, lambda pair: frozenset((pair.chosen, pair.rejected))):  # type: ignore[union-attr]
        if len({pair.chosen for pair in same if isinstance(pair, Preference)}) > 1:
            yield _finding(CONTRADICTION, same, _("A pair and its reverse"))


# -- secrets ---------------------------------------------------------------------------------------


def _secrets(records: Sequence[Record]) -> Iterator[Finding]:
    from data.quality.secrets import find

    @cache
    def kinds(text: str) -> tuple[str, ...]:
        return tuple(secret.kind for secret in find(text))

    for group in _grouped(records, lambda record: record.act):
        held = {kind: None for record in group for text in _texts(record) for kind in kinds(text)}
        if held:
            kinds_held = _(" and ").join(map(_, held))
            yield _finding(SECRET, group, _("Possible {kinds}").format(kinds=kinds_held))


def _texts(record: Record) -> Iterator[str]:
    for message in record.prompt:
        yield message.content
    yield record.comment
    match record:
        case Preference():
            yield from (record.chosen, record.rejected)
        case _:
            yield record.completion


# -- length ----------------------------------------------------------------------------------------


def _too_long(
    records: Sequence[Record], lengths: Mapping[str, int], limit: int | None
) -> Iterator[Finding]:
    for group in _grouped(records, lambda record: record.act):
        longest = max(lengths.get(record.id, 0) for record in group)
        if limit is not None and longest > limit:
            yield _finding(
                TOO_LONG,
                group,
                _("{longest:,} tokens, but only {limit:,} fit").format(
                    longest=longest, limit=limit
                ),
            )


# -- refused ---------------------------------------------------------------------------------------


def _refused(records: Sequence[Record], reasons: Mapping[str, str]) -> Iterator[Finding]:
    concerned = [record for record in records if record.id in reasons]
    for group in _grouped(concerned, lambda record: record.act):
        matter = _("This model's chat template refuses it ({why})")
        yield _finding(REFUSED, group, matter.format(why=reasons[group[0].id]))


# -- repetitions -----------------------------------------------------------------------------------


_SAME = {
    "instruction": N_("{count} instructions say the same"),
    "preference": N_("{count} preferences say the same"),
    "verdict": N_("{count} verdicts say the same"),
}
_NEARLY = {
    "instruction": N_("{count} instructions are nearly the same"),
    "preference": N_("{count} preferences are nearly the same"),
    "verdict": N_("{count} verdicts are nearly the same"),
}
"""By record kind, for more than one record."""


def _repetitions(records: Sequence[Record]) -> Iterator[Finding]:
    copies = _grouped(records, dedup_key)
    yield from _reported(DUPLICATE, _SAME, (same for same in copies if len(same) > 1))
    firsts = [same[0] for same in copies]
    near = [
        [group[index] for index in found]
        for group in _grouped(firsts, _sort)
        for found in near_duplicates.groups([_compared_texts(record) for record in group])
    ]
    yield from _reported(NEAR_DUPLICATE, _NEARLY, near)


def _reported(
    kind: str, matters: Mapping[str, str], groups: Iterable[Sequence[Record]]
) -> Iterator[Finding]:
    reported: set[frozenset[str]] = set()
    for group in groups:
        acts = frozenset(record.act for record in group)
        if len(acts) == 1 or acts in reported:
            continue
        reported.add(acts)
        yield _finding(kind, group, _(matters[group[0].kind]).format(count=len(group)))


def _sort(record: Record) -> Hashable:
    """Records with different values are never copies of each other."""
    return (record.kind, record.label) if isinstance(record, Verdict) else record.kind


def _compared_texts(record: Record) -> tuple[str, ...]:
    """The last question and the replies; earlier messages may well be shared."""
    if isinstance(record, Preference):
        return (question_of(record), record.chosen, record.rejected)
    return (question_of(record), record.completion)
