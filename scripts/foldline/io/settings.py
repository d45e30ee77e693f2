"""Typed settings: build frozen dataclasses from the mappings that Snakemake passes to a step."""

from collections.abc import Mapping
from typing import Any, TypeVar

from cattrs import BaseValidationError, Converter, transform_error
from cattrs.strategies import configure_union_passthrough

from foldline.errors import FoldlineError, listing

Settings = TypeVar("Settings")
_CONVERTER = Converter(forbid_extra_keys=True)
# A field that is a number or a name, such as `evaluation.threshold`, takes either as it is.
configure_union_passthrough(bool | int | float | str, _CONVERTER)


def build(cls: type[Settings], mapping: Mapping[str, Any]) -> Settings:
    """Build a dataclass from a mapping whose keys are its fields, nested dataclasses and tuples included.

    Args:
        cls: the dataclass; numbers are converted to the types of its fields.
        mapping: a section of the validated configuration.

    Raises:
        FoldlineError: a field is missing, unknown, or its value does not convert.
    """
    try:
        return _CONVERTER.structure(mapping, cls)
    except BaseValidationError as error:
        problems = transform_error(error, path=cls.__name__)
        raise FoldlineError(f"settings of another version: {listing(problems)}; run the workflow again") from error
