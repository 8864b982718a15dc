"""The dataset card: a README.md that tells people what the files contain, and programs where they
are.

Its front matter is what the Hugging Face Hub reads, so that `datasets.load_dataset(folder)` finds
every file and split. The figures are counted from the written records. It contains nothing about
the machine or the user.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from data.export_tables import Choices, ExportSelection, Table
from data.quality.language_detection import OTHER, language_of
from data.quality.task_labels import Rules, task_of
from store.i18n import N_, _
from store.records import Record, Verdict

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MEANINGS = {
    "instruction": N_("what the user said"),
    "input": N_("always empty: everything is in `instruction`"),
    "output": N_("the reply"),
    "history": N_("earlier questions and replies, in pairs"),
    "system": N_("the system prompt; empty if there was none"),
    "messages": N_("the conversation, ending with the reply"),
    "conversations": N_("the conversation; the reply is at its end or in separate columns"),
    "prompt": N_("everything before the reply"),
    "completion": N_("the reply"),
    "chosen": N_("the better reply"),
    "rejected": N_("the worse reply"),
    "label": N_("true for 👍, false for 👎"),
    "kto_tag": N_("true for 👍, false for 👎"),
    "tutee": N_("the version of this kind of row"),
    "kind": N_("the kind of record"),
    "act": N_("id shared by the records of one thumb or one correction"),
    "superseded_by": N_("empty: no record here was replaced"),
    "excluded": N_("true if the user keeps it out of training"),
    "origin": N_("source, model, adapter and sampling of the reply"),
    "reasons": N_("why 👎"),
    "comment": N_("why, in the user's words"),
    "created": N_("when the feedback was given"),
    "id": N_("id of this record"),
    "conversation_id": N_("id of the conversation; a split never divides one"),
    "message_id": N_("id of the reply"),
}
_TYPES = {
    str: N_("text"),
    bool: N_("true or false"),
    int: N_("number"),
    dict: N_("object"),
    type(None): N_("text"),
}


def card(selection: ExportSelection, choices: Choices, rules: Rules) -> str:
    """Return the text of the card for at least one table."""
    records = [record for table in selection.tables for record in table.records]
    parts = (
        _head(selection.tables, records, choices),
        _(
            "# Feedback on the replies of a language model\n\n"
            "What people taught a model while they chatted with it: replies they liked or wrote "
            "themselves, replies they preferred over others, and thumbs. Recorded and exported "
            "with Tutee.\n"
        ),
        _files(selection.tables),
        _columns(selection.tables),
        _figures(records, rules),
        _made(selection, records, choices),
        _("## License\n\n{licence}\n\nImported texts keep the license of their source.\n").format(
            licence=_escaped(choices.licence) or _("None stated.")
        ),
    )
    return "\n".join(parts)


def _head(tables: Sequence[Table], records: Sequence[Record], choices: Choices) -> str:
    lines = [
        "---",
        *_license(choices.licence),
        *_listed("language", sorted({_language(record) for record in records} - {OTHER})),
        *_listed("tags", ["tutee", "human-feedback"]),
        *_listed("task_categories", ["text-generation"]),
        *_listed("size_categories", [_size(len(records))]),
        "configs:",
    ]
    for number, (kind, files) in enumerate(groupby(tables, key=lambda table: table.kind)):
        lines.append(f"- config_name: {kind}")
        if number == 0:
            lines.append("  default: true")
        lines.append("  data_files:")
        for table in files:
            lines += [f"  - split: {table.split or 'train'}", f"    path: {table.name}"]
    return "\n".join([*lines, "---", ""])


def _license(name: str) -> list[str]:
    """The Hub knows licenses by short names; others are `other`, with the name in its own field."""
    if not name:
        return ["license: unknown"]
    if re.fullmatch(r"[a-z][a-z0-9.-]*", name):
        return [f"license: {json.dumps(name)}"]
    return ["license: other", f"license_name: {json.dumps(name)}"]


def _listed(key: str, values: Sequence[str]) -> list[str]:
    # Quoted, because YAML does not read `no` and the like as text.
    return [f"{key}:", *(f"- {json.dumps(value)}" for value in values)] if values else []


def _size(count: int) -> str:
    return next((name for limit, name in _SIZES if count < limit), "n>1M")


def _files(tables: Iterable[Table]) -> str:
    rows = [
        (f"`{table.name}`", table.kind, table.split or _("all"), table.format, len(table.rows))
        for table in tables
    ]
    return (
        _("## Files")
        + "\n\n"
        + _table((_("file"), _("kind of record"), _("split"), _("format"), _("rows")), rows)
    )


def _columns(tables: Iterable[Table]) -> str:
    """The columns of each kind; all its splits have the same ones."""
    parts = [_("## Columns") + "\n"]
    for kind, files in groupby(tables, key=lambda table: table.kind):
        row = next(files).rows[0]
        rows = [(f"`{key}`", _type(value), _(_MEANINGS[key])) for key, value in row.items()]
        parts.append(f"### {kind}\n\n" + _table((_("column"), _("type"), _("meaning")), rows))
    return "\n".join(parts)


def _type(value: object) -> str:
    if not isinstance(value, list):
        return _(_TYPES[type(value)])
    first = value[0] if value else None
    if isinstance(first, dict):
        return _("list of `{keys}`").format(keys=", ".join(list(first)[:2]))
    return _("list")


def _figures(records: Sequence[Record], rules: Rules) -> str:
    verdicts = [record for record in records if isinstance(record, Verdict)]
    counted = {
        _("thumb"): Counter("👍" if verdict.label else "👎" for verdict in verdicts),
        _("reason for 👎"): Counter(
            _(reason) for verdict in verdicts for reason in verdict.reasons
        ),
        _("task"): Counter(_(task_of(record.prompt, rules)) for record in records),
        _("language"): Counter(_(_language(record)) for record in records),
        _("source"): Counter(record.origin.source for record in records),
        _("model that replied"): Counter(
            record.origin.model for record in records if record.origin.model
        ),
    }
    tables = [
        _table(
            (what, _("records")), [(_escaped(name), count) for name, count in found.most_common()]
        )
        for what, found in counted.items()
        if found
    ]
    return _("## Contents") + "\n\n" + "\n".join(tables)


def _language(record: Record) -> str:
    return language_of(record.prompt[-1].content)


def _made(selection: ExportSelection, records: Sequence[Record], choices: Choices) -> str:
    first = min(record.created for record in records)
    last = max(record.created for record in records)
    paragraphs = [
        _(
            "The records were made between {first:%Y-%m-%d} and {last:%Y-%m-%d}. A 👍 gives an "
            "instruction and a verdict, a 👎 a verdict, a correction an instruction and a "
            "preference (the correction over the reply); imported records are as in their source."
        ).format(first=first, last=last)
    ]
    if choices.since:
        paragraphs.append(
            _("It contains only records since {since:%Y-%m-%d %H:%M %z}.").format(
                since=choices.since
            )
        )
    if choices.split:
        paragraphs.append(
            _(
                "The split `test` is about a fifth of the conversations, chosen by a hash, so that "
                "a conversation is never in both splits and never changes sides."
            )
        )
    if choices.redact:
        paragraphs.append(
            _(
                "Secrets and e-mail addresses that were recognized were replaced by `[secret]` "
                "and `[e-mail]`, in {count} records. There is no guarantee that all were found."
            ).format(count=selection.redacted)
        )
    if any(table.format in ("messages", "sharegpt") for table in selection.tables):
        paragraphs.append(
            _(
                "Replies with `weight: 0` are context; programs that do not support weights can "
                "be told to learn only the last reply (LLaMA-Factory: `mask_history: true`)."
            )
        )
    if selection.left_out:
        paragraphs.append(
            _("Left out: {reasons}.").format(reasons=_("; ").join(selection.left_out))
        )
    return _("## How it was made") + "\n\n" + "\n\n".join(paragraphs) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def _escaped(text: str) -> str:
    """Text that Markdown shows unchanged, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
