"""Moments as the user's clock shows them.

Left out on purpose: a limit on dates. Go and .NET write the year 1 for “no time”, other programs
the year 9999 for “never”; both are valid, and files that have them are imported like any other.
"""

from datetime import UTC, datetime


def local(moment: datetime) -> datetime:
    """Convert to local time, in which a time without a zone is already.

    Where local time would be before the first year or after the last one, the result is in UTC.
    """
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def local_minute(moment: datetime) -> str:
    """Format as local date and time: `2026-01-31 14:05`."""
    return local(moment).replace(tzinfo=None).isoformat(" ", "minutes")


def local_day(moment: datetime) -> str:
    """Format as local date: `2026-01-31`."""
    return local(moment).date().isoformat()
