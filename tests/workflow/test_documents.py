"""What is written down twice agrees: documents and workflow, key tables and schema, environments and lock."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from fixtures.documents import Document
from fixtures.project import REPOSITORY, Project
from foldline.planning.code_digest import reachable
from foldline.planning.config_reference import key_tables, keys_of, with_tables
from foldline.planning.configuration import read_schema

README, CONFIG_README, DOCUMENTATION = (
    Document(REPOSITORY / name) for name in ("README.md", "config/README.md", "workflow/documentation.md")
)
DOCUMENTS = (README, CONFIG_README, DOCUMENTATION)


def document_name(document: object) -> str:
    return document.path.relative_to(REPOSITORY).as_posix() if isinstance(document, Document) else ""


def test_the_key_tables_are_those_of_the_schema(repository: Path) -> None:
    text = (repository / "config" / "README.md").read_text(encoding="utf-8")
    schema = read_schema(repository / "config" / "config.schema.yaml")
    assert text == with_tables(text, key_tables(schema)), "run make config-reference"


def test_every_leaf_of_the_schema_is_one_row_of_the_key_tables(repository: Path) -> None:
    schema = read_schema(repository / "config" / "config.schema.yaml")
    rows = re.findall(r"^\| `([^`]+)` \|", key_tables(schema), re.MULTILINE)
    names = [re.sub(r"\b(PRESET|COLUMN|MODEL|FOLD|SET|WORD|CELL)\b", "*", row) for row in rows]
    assert len(names) == len(set(names))
    leaves = leaves_of(schema, schema)
    assert set(leaves) <= set(names)
    # The others hold such leaves.
    assert all(
        any(re.match(re.escape(name) + r"(\.|\[)", leaf) for leaf in leaves) for name in set(names) - set(leaves)
    )
    assert {"dataset.metadata.*.kind", "models.*.hidden[].units", "models.*.fold_overrides.*.epochs"} <= set(names)


def leaves_of(schema: dict, root: dict) -> list[str]:
    """Paths of the keys of a JSON schema that hold no other keys; `*` is a name that the user chooses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]] | schema
        return leaves_of({key: value for key, value in schema.items() if key != "$ref"}, root)
    children = [(f".{name}", child) for name, child in schema.get("properties", {}).items()]
    children += [(".*", child) for child in [schema.get("additionalProperties")] if isinstance(child, dict)]
    children += [("[]", child) for child in [schema.get("items")] if child is not None]
    below = [f"{name}{leaf}" for name, child in children for leaf in leaves_of(child, root)]
    # The values of a list are no keys.
    return [leaf.removeprefix(".") if schema is root else leaf for leaf in below if leaf != "[]"] or [""]


def test_a_key_table_has_types_ranges_and_defaults() -> None:
    schema = yaml.safe_load(SMALL_SCHEMA)
    assert key_tables(schema) == SMALL_TABLES.strip()


SMALL_SCHEMA = """
type: object
required: [models]
properties:
  title: {description: Its title., type: [string, "null"], default: "a|b"}
  models:
    description: The models.
    type: object
    additionalProperties:
      type: object
      required: [size]
      properties:
        size: {description: Width., type: integer, minimum: 1, maximum: 9}
        loss:
          type: object
          properties:
            name: {description: Which., enum: [focal, null], default: focal}
            alpha: {description: Weight., $ref: "#/$defs/share", default: 0.5}
        layers:
          description: Layers.
          type: array
          default: []
          items: {$ref: "#/$defs/layer"}
        units: {description: Units., type: array, items: {type: number, exclusiveMinimum: 0}, default: [1, 2]}
$defs:
  share: {type: number, minimum: 0, exclusiveMaximum: 1}
  layer: {type: object, properties: {dropout: {description: Dropped., $ref: "#/$defs/share"}}}
"""

SMALL_TABLES = r"""
### General

| key | type, range | default | meaning |
|---|---|---|---|
| `title` | text or null | `a\|b` | Its title. |

### models

| key | type, range | default | meaning |
|---|---|---|---|
| `models` | mapping | required | The models. |
| `models.MODEL.size` | integer, ≥ 1 and ≤ 9 | required | Width. |
| `models.MODEL.loss.name` | `focal`, `null` | `focal` | Which. |
| `models.MODEL.loss.alpha` | number, ≥ 0 and < 1 | `0.5` | Weight. |
| `models.MODEL.layers` | list of mappings | `[]` | Layers. |
| `models.MODEL.layers[].dropout` | number, ≥ 0 and < 1 |  | Dropped. |
| `models.MODEL.units` | list of numbers, > 0 | `[1, 2]` | Units. |
"""


def test_every_key_of_the_schema_has_a_description(repository: Path) -> None:
    keys = keys_of(read_schema(repository / "config" / "config.schema.yaml"))
    assert len(keys) > 100
    assert [key.path for key in keys if not key.schema.get("description")] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_name)
def test_links_lead_somewhere(document: Document) -> None:
    local = [link for link in document.links() if "://" not in link]
    assert local
    for link in local:
        path, _, anchor = link.partition("#")
        target = document.path.parent / path if path else document.path
        assert target.exists(), link
        assert not anchor or anchor in Document(target).anchors(), link


@pytest.mark.parametrize("document", [CONFIG_README, DOCUMENTATION], ids=document_name)
def test_the_table_of_contents_names_every_chapter(document: Document) -> None:
    listed = re.findall(r"^- \[(.+)\]\(#(.+)\)$", document.text, re.MULTILINE)
    headings = zip(document.headings(), document.anchors(), strict=True)
    assert listed == [(title, anchor) for (level, title), anchor in headings if level == 2]


@pytest.mark.parametrize("document", [*DOCUMENTS, Document(REPOSITORY / "CHANGELOG.md")], ids=document_name)
def test_paths_in_the_text_exist(document: Document) -> None:
    folders = r"(?:workflow|config|scripts|envs|tests)"
    paths = re.findall(rf"`(?:python )?({folders}/[a-z_0-9./-]*)[^`]*`", document.prose())
    assert paths
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_the_readme_names_the_packages(repository: Path) -> None:
    packages = re.findall(r"^\| .* \| `(\w+)/` \|$", README.text, re.MULTILINE)
    assert len(packages) > 5
    assert all((repository / "scripts" / "foldline" / name / "__init__.py").is_file() for name in packages)


@pytest.mark.parametrize("document", [CONFIG_README, DOCUMENTATION], ids=document_name)
def test_keys_in_the_text_are_known(document: Document, repository: Path) -> None:
    schema = read_schema(repository / "config" / "config.schema.yaml")
    keys = [key.path for key in keys_of(schema)]
    named = re.findall(rf"`((?:{'|'.join(schema['properties'])})\.[\w.]+)`", document.prose())
    assert named
    # A section holds keys and is none itself.
    assert [name for name in named if not any(f"{key}.".startswith(f"{name}.") for key in keys)] == []


def test_the_documentation_describes_every_rule_of_the_graph() -> None:
    (mermaid,) = DOCUMENTATION.blocks("mermaid")
    described = re.findall(r"^\| `(\w+)` \|", DOCUMENTATION.text, re.MULTILINE)
    assert set(described) == {name for edge in _edges(mermaid) for name in edge} - {"data"}


def test_the_citation_names_this_version(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert all(citation[key] for key in ("message", "title", "abstract"))
    assert [sorted(author) for author in citation["authors"]] == [["name"]]


def test_environments_pin_what_the_lock_pins(repository: Path) -> None:
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (repository / "envs" / "requirements.lock").read_text(), re.MULTILINE))
    found = {path.name: pins_of(path) for path in (repository / "envs").glob("*.yaml")}
    assert set(found) == {f"{name}.yaml" for name in ("data", "report", "train-cpu", "train-gpu", "train-tpu")}
    # tensorflow-tpu stands in no lock beside tensorflow, whose place it takes.
    instead = {name: found["train-tpu.yaml"].pop(name) for name in ("tensorflow-tpu", "libtpu")}
    for name, pins in found.items():
        assert {package: lock[package] for package in pins} == pins, name
    tf_keras = re.findall(r"--no-deps tf-keras==(\S+)", (repository / "envs/train-tpu.post-deploy.sh").read_text())
    assert [minor(version) for version in tf_keras] == [minor(instead["tensorflow-tpu"])]


def test_environments_of_training_differ_in_tensorflow_alone(repository: Path) -> None:
    cpu, gpu, tpu = (pins_of(repository / "envs" / f"train-{kind}.yaml") for kind in ("cpu", "gpu", "tpu"))
    assert "tensorflow[and-cuda]==" in (repository / "envs" / "train-gpu.yaml").read_text()
    assert gpu == cpu
    # The last two are held where the TensorFlow of the lock holds them.
    exchanged = {"tensorflow", "tf-keras", "tensorboard"} | {"tensorflow-tpu", "libtpu"} | {"h5py", "protobuf"}
    assert cpu.keys() ^ tpu.keys() == exchanged


# Packages whose modules have another name.
PACKAGE_OF = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "fsspec": "gcsfs",
    "google_crc32c": "google-crc32c",
    "sklearn": "scikit-learn",
}
RULE = re.compile(
    r'conda:\n +(?:TRAINING_ENVIRONMENT|"../../envs/(\w+)\.yaml")\n.*?"../../(scripts/\w+\.py)"', re.DOTALL
)


@pytest.mark.parametrize("name", ["data", "report", "train-cpu", "train-tpu"])
def test_an_environment_pins_what_its_scripts_import(name: str, repository: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (repository / "workflow" / "rules").glob("*.smk"))
    scripts = {script for environment, script in RULE.findall(text) if (environment or "train") == name.split("-")[0]}
    assert scripts
    modules = {path for script in scripts for path in reachable(repository / script) if path.suffix == ".py"}
    imported = {module.split(".")[0] for path in modules for module in imports_of(path)}
    imported -= {*sys.stdlib_module_names, "foldline", *(path.stem for path in (repository / "scripts").glob("*.py"))}
    pins = {re.sub("-", "_", pin) for pin in pins_of(repository / "envs" / f"{name}.yaml")}
    pins |= {"tensorflow", "tf_keras"} if name == "train-tpu" else set()
    wanted = {re.sub("-", "_", PACKAGE_OF.get(module, module)) for module in imported}
    assert wanted - pins == set()


def imports_of(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_every_rule_names_an_environment(repository: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (repository / "workflow" / "rules").glob("*.smk"))
    rules = re.findall(r"^ *rule \w+:\n(.*?)(?=^ *rule |\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(rules) > 10
    for rule in rules:
        named = re.search(r'conda:\n +(?:TRAINING_ENVIRONMENT|"../../envs/(\w+)\.yaml")\n', rule)
        assert named, rule
        assert named[1] in (None, "data", "report")


def pins_of(environment: Path) -> dict[str, str]:
    """The packages that an environment takes from the registry, and their versions; each is pinned exactly."""
    dependencies = yaml.safe_load(environment.read_text(encoding="utf-8"))["dependencies"]
    pins = next(item["pip"] for item in dependencies if isinstance(item, dict))
    return dict(re.fullmatch(r"([\w-]+)(?:\[[\w-]+\])?==([\w.]+)", pin).groups() for pin in pins)


def minor(version: str) -> list[str]:
    """The first two numbers of a version."""
    return version.split(".")[:2]


def test_the_lock_has_hashes_and_no_address(repository: Path) -> None:
    text = (repository / "envs" / "requirements.lock").read_text()
    assert "://" not in text
    pinned = re.findall(r"^[\w.-]+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))


@pytest.mark.slow
def test_the_rule_graph_in_the_documentation_is_the_workflow(new_project: Project) -> None:
    drawn = _edges(new_project.snakemake("--rulegraph", "mermaid-js").stdout)
    drawn |= {("data", "scan_images"), ("data", "list_classes")}
    (mermaid,) = DOCUMENTATION.blocks("mermaid")
    # The picture leaves out what follows from the rest, and the rule `all`.
    assert _closure(_edges(mermaid)) == {(a, b) for a, b in _closure(drawn) if b != "all"}


def _edges(mermaid: str) -> set[tuple[str, str]]:
    names = dict(re.findall(r"(\w+)\[(\w+)\]", mermaid))
    pairs = re.findall(r"(\w+)(?:\[[^]]*\])? --> (\w+)", mermaid)
    return {(names.get(a, a), names.get(b, b)) for a, b in pairs}


def _closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while new := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | new
    return edges
