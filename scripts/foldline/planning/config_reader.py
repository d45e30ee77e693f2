"""Read the configuration of a run: all checks before any data are read, with all problems in one report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.dataset.cell_values import composed, is_utf8
from foldline.dataset.labels import BINARY, MULTICLASS, SOFT
from foldline.errors import FoldlineError, problems_error
from foldline.planning.config_checks import combination_problems
from foldline.planning.config_files import argument_problems, file_problems
from foldline.planning.configuration import completed_with_errors, plain, read_schema, with_preset
from foldline.planning.preset_checks import preset_problems
from foldline.planning.readable_config import readable_config
from foldline.planning.schema_errors import as_meant, error_messages, wrong_key
from foldline.planning.usable_values import UsableValues


class ConfigError(FoldlineError):
    """All problems of a configuration.

    Attributes:
        problems: a line for each.
        config: the configuration with which the data can be read, see `readable_config`; None if there is none.
    """

    def __init__(self, problems: Sequence[str], *, config: dict[str, Any] | None) -> None:
        super().__init__(str(problems_error(problems)))
        self.problems, self.config = list(problems), config


@dataclass(frozen=True)
class ConfigSource:
    """Where the configuration of this workflow comes from.

    Attributes:
        main_config: configuration of the main workflow, which may have this one as a module.
        command_line: values of the command line (--config), which change `main_config`.
        files: configuration files of the main workflow.
        arguments: the values of the command line as they were typed.
    """

    main_config: Mapping[str, Any]
    command_line: Mapping[str, Any]
    files: Sequence[str | Path] = ()
    arguments: Sequence[str] = ()

    def section_of(self, config: Mapping[str, Any]) -> str | None:
        """Key of the main configuration that holds the configuration of this workflow.

        Args:
            config: the configuration of this workflow: the whole configuration of the main workflow, or one of its
                sections where this workflow is a module, or a mapping that the main workflow made for the module.

        Returns:
            The key; "" if it is the whole configuration, None if the main workflow made it.
        """
        if config is self.main_config:
            return ""
        return next((name for name, values in self.main_config.items() if values is config), None)


def read_config(config: Mapping[str, Any], *, schema_path: Path, source: ConfigSource) -> dict[str, Any]:
    """Complete and check a configuration.

    Args:
        config: configuration of the workflow.
        schema_path: path of the schema.
        source: where it comes from.

    Raises:
        ConfigError: a key occurs twice, a key or value is not allowed, or values contradict each other; with all
            problems.
    """
    schema, section = read_schema(schema_path), source.section_of(config)
    problems: list[str] = []
    if section is not None:
        problems = [line for path in source.files for line in file_problems(path, section=section or None)]
        problems += argument_problems(source.arguments, section=section or None)
    command_line = source.command_line if section == "" else source.command_line.get(section or "", {})
    given = plain(config)
    problems += text_problems(given)
    presets, known = preset_problems(given, schema)
    try:
        given = with_preset(given, command_line, schema)
    except FoldlineError as error:
        presets.append(str(error))
        given = with_preset({**given, "preset": None}, command_line, schema)
    given = with_class_texts(expanded(given))
    completed, errors = completed_with_errors(with_class_folders(given), schema)
    lines = error_messages(errors)
    if errors:
        # The other checks look at what was meant. A key that is missing only because another has a typo is not needed.
        first = errors
        completed, errors = completed_with_errors(with_class_folders(as_meant(given, errors)), schema)
        left = error_messages(errors)
        needless = set(error_messages(error for error in first if error.validator == "required")).difference(left)
        lines = [line for line in dict.fromkeys([*lines, *left]) if line not in needless]
    _compose_class_names(completed)
    problems += presets + [line for line in lines if line not in known]
    problems += combination_problems(UsableValues(completed, map(wrong_key, errors)) if errors else completed)
    if problems:
        # Values of presets and texts may belong to any section.
        can_tell = not presets and not list(text_problems(given))
        readable = readable_config(completed, errors, schema) if can_tell else None
        raise ConfigError(problems, config=readable)
    return completed


def expanded(value: Any) -> Any:
    """Copy of a configuration with the home folder in place of `~` at the start of paths."""
    if isinstance(value, dict):
        return {key: expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item) for item in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value


def with_class_folders(config: dict[str, Any]) -> dict[str, Any]:
    """Copy with the defaults that differ if folders are the classes: there are no tables."""
    dataset = config.get("dataset")
    if not isinstance(dataset, dict) or not dataset.get("class_folders"):
        return config
    labels = dataset.get("labels", {})
    if isinstance(labels, dict):
        labels = {"kind": MULTICLASS, **labels}
    # The name of a folder is never missing.
    without_tables: dict[str, Any] = {"id_column": "id", "test_table": None, "sample_submission": None, "missing": []}
    return {**config, "dataset": {**without_tables, **dataset, "labels": labels}}


def with_class_texts(config: dict[str, Any]) -> dict[str, Any]:
    """Copy with texts in place of whole numbers where classes are named: [0, 1, 2] are the classes 0, 1 and 2."""
    dataset = config.get("dataset")
    if not isinstance(dataset, dict):
        return config
    changed = dict(dataset)
    for section, keys in (("labels", ("classes", "absent", "exclusive")), ("submission", ("class",))):
        given = dataset.get(section)
        if isinstance(given, dict):
            changed[section] = given | {key: _class_text(given[key]) for key in keys if key in given}
    return {**config, "dataset": changed}


def _class_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_class_text(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _compose_class_names(config: dict[str, Any]) -> None:
    """Give the names of classes the spelling that label cells get when they are read (`cell_values.composed`).

    Classes that have the names of columns stay as the header of the table has them.
    """
    # Values of other types are reported as errors of the schema.
    dataset = config["dataset"] if isinstance(config.get("dataset"), dict) else {}
    labels, submission = dataset.get("labels"), dataset.get("submission")
    if not isinstance(labels, dict):
        return
    if not labels.get("classes") and (labels.get("kind", BINARY) in (BINARY, SOFT) or dataset.get("target_columns")):
        return
    labels.update({key: _composed(labels[key]) for key in ("classes", "absent", "exclusive") if key in labels})
    if isinstance(submission, dict) and "class" in submission:
        submission["class"] = _composed(submission["class"])


def _composed(value: Any) -> Any:
    if isinstance(value, list):
        return [_composed(item) for item in value]
    return composed(value) if isinstance(value, str) else value


def text_problems(value: Any, key: str = "") -> Iterator[str]:
    """Texts of a configuration that no file name and no table can hold, keys included."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from text_problems(name, f"the key {name!r} in {key or 'the file'}")
            yield from text_problems(item, f"{key}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from text_problems(item, f"{key}[{index}]")
    elif isinstance(value, str):
        if "\0" in value:
            yield f"config: {key} is {value!r}, which contains a NUL byte; remove it"
        elif not is_utf8(value):
            yield f"config: {key} is {value!r}, which is no text in UTF-8; write the characters themselves"
