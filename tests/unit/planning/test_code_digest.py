"""The digest of a script sees all code that runs, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "__init__.py").write_text("")
    (tmp_path / "library" / "near.py").write_text("from library.far import FAR\nNEAR = FAR\n")
    (tmp_path / "library" / "far.py").write_text("FAR = 1\nTEMPLATE = 'page.html'\n")
    (tmp_path / "library" / "page.html").write_text("<p>")
    (tmp_path / "library" / "other.py").write_text("OTHER = 1\n")
    (tmp_path / "step.py").write_text("def f():\n    import library.near\n    return '''a\n\n# b'''\n")
    return tmp_path


def digest(scripts: Path) -> str:
    # In a process of its own, as in a run of the workflow: the digests of a process are cached.
    code = "import sys; from foldline.planning.code_digest import code_digest; print(code_digest(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(scripts / "step.py")]
    library = Path(__file__).resolve().parents[3] / "scripts"
    return subprocess.run(command, cwd=library, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("step.py", "def f():\n    import library.near\n    return '''a\n\n# c'''\n"),
        ("step.py", "def f():\n    import library.near\n    return '''a\n# b'''\n"),
        ("library/near.py", "from library.far import FAR\nNEAR = FAR + 1\n"),
        ("library/far.py", "FAR = 2\nTEMPLATE = 'page.html'\n"),
        ("library/page.html", "<p> "),
        ("library/__init__.py", "import library.other\n"),
    ],
)
def test_an_edit_of_what_runs_changes_the_digest(scripts: Path, name: str, text: str) -> None:
    before = digest(scripts)
    (scripts / name).write_text(text)
    assert digest(scripts) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("step.py", "# Why.\ndef f():\n\n    import library.near  # here\n    return '''a\n\n# b'''\n"),
        ("library/other.py", "OTHER = 2\n"),
        ("library/unused.py", "X = 1\n"),
    ],
)
def test_comments_and_other_modules_do_not(scripts: Path, name: str, text: str) -> None:
    before = digest(scripts)
    (scripts / name).write_text(text)
    assert digest(scripts) == before
