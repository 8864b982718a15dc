"""The messages of the operating system and of pydantic, in the user's language.

The messages users are likely to meet are in the catalog; any other stays in English.
"""

from pydantic_core import ErrorDetails

from store.i18n import N_, _, current_language

_DISK = (
    N_("Permission denied"),
    N_("No such file or directory"),
    N_("No space left on device"),
    N_("Disk quota exceeded"),
    N_("Read-only file system"),
    N_("Is a directory"),
    N_("Not a directory"),
    N_("File exists"),
    N_("File name too long"),
    N_("Input/output error"),
    N_("Operation not permitted"),
)
"""The operating system's commonest messages, marked for the catalog."""

_MATTERS = {
    "missing": N_("Field required"),
    "extra_forbidden": N_("Extra inputs are not permitted"),
    "greater_than": N_("Input should be greater than {gt}"),
    "greater_than_equal": N_("Input should be greater than or equal to {ge}"),
    "less_than": N_("Input should be less than {lt}"),
    "less_than_equal": N_("Input should be less than or equal to {le}"),
    "literal_error": N_("Input should be {expected}"),
    "int_type": N_("Input should be a valid integer"),
    "int_parsing": N_("Input should be a valid integer, unable to parse string as an integer"),
    "int_from_float": N_("Input should be a valid integer, got a number with a fractional part"),
    "float_type": N_("Input should be a valid number"),
    "float_parsing": N_("Input should be a valid number, unable to parse string as a number"),
    "finite_number": N_("Input should be a finite number"),
    "bool_type": N_("Input should be a valid boolean"),
    "bool_parsing": N_("Input should be a valid boolean, unable to interpret input"),
    "string_type": N_("Input should be a valid string"),
    "list_type": N_("Input should be a valid list"),
    "tuple_type": N_("Input should be a valid tuple"),
    "dict_type": N_("Input should be a valid dictionary"),
    "model_type": N_("Input should be a valid dictionary or instance of {class_name}"),
}
"""pydantic's messages by error type."""


def reason(error: OSError) -> str:
    """Return the operating system's message."""
    return _(error.strerror or str(error))


def validation_message(error: ErrorDetails) -> str:
    """Return what is wrong with a value."""
    template = _MATTERS.get(error["type"])
    if template is None or current_language() == "en":
        return error["msg"]
    return _(template).format(**error.get("ctx", {}))
