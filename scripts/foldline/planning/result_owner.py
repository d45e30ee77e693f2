"""The configuration whose results are in a working directory, so that another one does not replace them by accident.

A configuration is the files that it comes from. Editing them, adding values on the command line and choosing other
presets changes the configuration, but not which one it is. Another file with equal content, such as a moved or renamed
one, is the same configuration too: it would replace nothing.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.files import digest_of

OWNER_FILE = "results/keys/configuration.json"
# Sections that do not say what to compute.
NOT_COMPARED = ("replace_results", "preset", "presets", "accelerator", "checkpoints")


@dataclass(frozen=True)
class ResultOwner:
    """A configuration, as it is recorded beside its results.

    Attributes:
        files: its files, relative to the working directory.
        section: key of the main workflow's configuration that holds it; "" if it is all of it.
        content: digest of the completed configuration.
    """

    files: tuple[str, ...]
    section: str
    content: str

    @classmethod
    def of(cls, config: Mapping[str, Any], *, files: Sequence[str | Path], section: str | None) -> "ResultOwner":
        """The owner that a completed configuration is.

        Args:
            config: the completed configuration.
            files: the configuration files of the main workflow.
            section: see `config_reader.ConfigSource.section_of`.
        """
        content = digest_of({key: value for key, value in config.items() if key not in NOT_COMPARED})
        paths = [os.path.relpath(os.path.realpath(path), os.path.realpath(".")) for path in files]
        return cls(tuple(paths), section or "", content)

    @property
    def name(self) -> str:
        """Name in a message."""
        files = listing(self.files) or "the main workflow"
        return f"{files} ({self.section})" if self.section else files

    def check(self, path: str, *, may_replace: bool) -> None:
        """Refuse results of another configuration.

        Args:
            path: path or URL of `OWNER_FILE`.
            may_replace: `replace_results` of the configuration.

        Raises:
            FoldlineError: there are such results.
        """
        other = _recorded(path)
        if may_replace or other is None:
            return
        if other.content == self.content or (other.files, other.section) == (self.files, self.section):
            return
        raise FoldlineError(
            f"{path}: the results in this directory were made from {other.name}; this run is from {self.name}, and "
            "would replace them. Give each configuration a directory of its own (--directory runs/NAME), or add "
            "--config replace_results=true"
        )

    def record(self, path: str) -> None:
        """Write the owner; a file with the same content is left alone.

        Args:
            path: path or URL of `OWNER_FILE`.
        """
        storage.write_if_changed(path, f"{json.dumps(asdict(self), indent=2)}\n".encode())


def _recorded(path: str) -> ResultOwner | None:
    """The recorded owner; None if there is none, or none that can be read."""
    if not storage.is_file(path):
        return None
    try:
        content = json.loads(storage.read(path))
        return ResultOwner(tuple(content["files"]), content["section"], content["content"])
    except (ValueError, KeyError, TypeError):
        return None
