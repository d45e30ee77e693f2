"""What is written down twice agrees: key table and schema, environments and lock, README and workflow."""

import re
from pathlib import Path

import pytest
import yaml
from configuration import complete, read_schema
from fixtures.project import Project
from key_table import key_table, with_table


def test_the_key_table_is_the_schema(repository: Path) -> None:
    text = (repository / "config" / "README.md").read_text(encoding="utf-8")
    schema = read_schema(repository / "config" / "config.schema.yaml")
    assert text == with_table(text, key_table(schema)), "run python workflow/key_table.py"


def test_every_key_of_the_schema_has_a_description(repository: Path) -> None:
    rows = key_table(read_schema(repository / "config" / "config.schema.yaml")).splitlines()[2:]
    assert len(rows) > 40
    assert [row for row in rows if row.split("|")[4].strip() == ""] == []


def test_the_example_in_the_config_readme_is_allowed(repository: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (repository / "config" / "README.md").read_text(), re.DOTALL)
    complete(yaml.safe_load(blocks[0]), read_schema(repository / "config" / "config.schema.yaml"))


def test_environments_pin_what_the_lock_pins(repository: Path) -> None:
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (repository / "envs" / "requirements.lock").read_text(), re.MULTILINE))
    for path in (repository / "envs").glob("*.yaml"):
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        pins = next(item["pip"] for item in dependencies if isinstance(item, dict))
        for pin in pins:
            name, version = pin.split("==")
            assert lock[name] == version, f"{path.name}: {pin}"


def test_the_lock_has_hashes_and_no_address(repository: Path) -> None:
    text = (repository / "envs" / "requirements.lock").read_text()
    assert "://" not in text
    pinned = re.findall(r"^[\w.-]+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))


@pytest.mark.slow
def test_the_rule_graph_in_the_readme_is_the_workflow(repository: Path, new_project: Project) -> None:
    drawn = _edges(new_project.snakemake("--rulegraph", "mermaid-js").stdout) | {("data", "scan_images")}
    readme = (repository / "README.md").read_text(encoding="utf-8")
    picture = _edges(re.search(r"```mermaid\n(.*?)```", readme, re.DOTALL).group(1))
    # The picture leaves out what follows from the rest, and the rule `all`.
    assert _closure(picture) == {(a, b) for a, b in _closure(drawn) if b != "all"}


def _edges(mermaid: str) -> set[tuple[str, str]]:
    names = dict(re.findall(r"(\w+)\[(\w+)\]", mermaid))
    pairs = re.findall(r"(\w+)(?:\[[^]]*\])? --> (\w+)", mermaid)
    return {(names.get(a, a), names.get(b, b)) for a, b in pairs}


def _closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while new := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | new
    return edges
