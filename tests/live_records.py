"""The live records of a home, by kind."""

from store.records import Instruction, Preference, Verdict
from store.repository import Repository


def instructions(repository: Repository) -> list[Instruction]:
    return [record for record in repository.records() if isinstance(record, Instruction)]


def preferences(repository: Repository) -> list[Preference]:
    return [record for record in repository.records() if isinstance(record, Preference)]


def verdicts(repository: Repository) -> list[Verdict]:
    return [record for record in repository.records() if isinstance(record, Verdict)]
