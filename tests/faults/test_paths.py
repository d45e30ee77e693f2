"""A path that is no readable file is refused before the DAG is built, with path, reason and what to do."""

import codecs
import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from fixtures.faults import one_line, public_folder, unprivileged
from fixtures.images import write_config, write_dataset
from fixtures.pictures import photograph, saved
from fixtures.plans import plan_of
from foldline.errors import FoldlineError
from foldline.io.system_errors import system_errors_explained
from foldline.tfrecords.example_proto import encode_example
from foldline.tfrecords.record_files import write_records

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Place:
    """A project without results.

    Attributes:
        folder: the project.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """Path of a file of the data."""
        return self.folder / "data" / name

    def set(self, section: str, **values: object) -> None:
        """Set keys of a section of the configuration; that of a model is `models.NAME`."""
        path = self.folder / "config" / "config.yaml"
        config = yaml.safe_load(path.read_text())
        mapping = config
        for name in section.split("."):
            mapping = mapping[name]
        mapping.update(values)
        path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module", autouse=True)
def modules() -> None:
    """Import what planning imports, before a user does who may not read the modules."""
    with public_folder() as folder:
        project = make_place(folder)
        write_tfrecord(project.path("train.tfrec"))
        project.set("dataset", train_images=None, train_records=["*.tfrec"])
        with contextlib.suppress(FoldlineError):
            plan_of(folder)


@pytest.fixture
def place() -> Iterator[Place]:
    with public_folder() as folder:
        yield make_place(folder)


def make_place(folder: Path) -> Place:
    """A project in which every user can plan."""
    write_dataset(folder / "data", train=12, test=4, external=0)
    (folder / "config").mkdir()
    write_config(folder / "config" / "config.yaml")
    made = Place(folder)
    made.set("dataset", external=None)
    for name in (".foldline", "results"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    return made


def refusal(place: Place) -> str:
    """The message with which planning ends, for a user whom permissions bind."""
    # That user may not read Python's own modules.
    codecs.lookup("utf-8-sig")
    with pytest.raises(FoldlineError) as caught, unprivileged(), system_errors_explained():
        plan_of(place.folder)
    return str(caught.value)


def first_problem(message: str) -> str:
    """The first line of a message of several problems, which are in several tables here; or the only one."""
    first, *others = message.splitlines()
    if others:
        assert first == f"{len(others)} problems"
    return others[0] if others else first


def refuse(path: Path) -> None:
    """Forbid everybody but root to read."""
    path.chmod(0)


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Put something else in place of a file or folder."""

    def replace(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        make(path)

    return replace


folder, pipe = replace_by(Path.mkdir), replace_by(os.mkfifo)
loop = replace_by(lambda path: path.symlink_to(path))
device = replace_by(lambda path: path.symlink_to("/dev/zero"))
file = replace_by(Path.touch)
gone = replace_by(lambda path: None)

# What happens to which path, and words of the message beside the path.
BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "an image is a folder": ("images/s003.png", folder, "a folder, not a file"),
    "an image is a link to itself": ("images/s003.png", loop, "a symbolic link that leads back to itself"),
    "an image is a named pipe": ("images/s003.png", pipe, "a named pipe, not a file"),
    "an image is a device": ("images/s003.png", device, "a device, not a file"),
    "an image is forbidden": ("images/s003.png", refuse, "permission denied"),
    "the folder of the images is forbidden": ("images", refuse, "permission denied"),
    "the folder of the images is a file": ("images", file, "does not exist"),
    "the table is a folder": ("train.csv", folder, "a folder, not a file"),
    "the table is a link to itself": ("train.csv", loop, "a symbolic link that leads back to itself"),
    "the table is a named pipe": ("train.csv", pipe, "a named pipe, not a file"),
    "the table is forbidden": ("test.csv", refuse, "permission denied"),
    "the sample submission is a folder": ("sample_submission.csv", folder, "a folder, not a file"),
    "the sample submission is a named pipe": ("sample_submission.csv", pipe, "a named pipe, not a file"),
    "the sample submission is forbidden": ("sample_submission.csv", refuse, "permission denied"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_data_that_cannot_be_opened_are_refused(place: Place, fault: str) -> None:
    name, happens, words = BROKEN[fault]
    happens(place.path(name))
    one_line(first_problem(refusal(place)), f"data/{name}", words, ";")


def test_all_images_that_cannot_be_opened_are_named(place: Place) -> None:
    for number, happens in enumerate((folder, loop, pipe, device, refuse)):
        happens(place.path(f"images/s{number:03d}.png"))
    message = one_line(
        refusal(place), "line 2: id 's000': image data/images/s000.png cannot be read: a folder, not a file"
    )
    for number in range(5):
        assert f"line {number + 2}: id 's{number:03d}': image data/images/s{number:03d}.png cannot be read" in message
    assert "dataset.train_images" in message


def test_an_image_whose_name_is_too_long(place: Place) -> None:
    table = place.path("train.csv")
    table.write_text(table.read_text().replace("s003", "s" * 300, 1))
    one_line(refusal(place), "train.csv, line 5", "a longer name than the file system allows (255 bytes)")


def test_a_table_whose_name_is_too_long(place: Place) -> None:
    place.set("dataset", train_table=f"{'t' * 300}.csv")
    one_line(refusal(place), "a longer name than the file system allows (255 bytes)")


def test_the_folder_of_the_data_is_a_file(place: Place) -> None:
    shutil.rmtree(place.folder / "data")
    (place.folder / "data").touch()
    one_line(refusal(place), "dataset.root", "is a file; set it to the folder with the data")


def write_tfrecord(path: Path) -> None:
    picture = saved(photograph(24, 24), "JPEG")
    records = (
        {"image": picture, "image_name": f"r{number}".encode(), "patient_id": b"p", "site": b"arm", "target": [0]}
        for number in range(4)
    )
    write_records(path, map(encode_example, records))


@pytest.mark.parametrize(("happens", "words"), [(refuse, "permission denied"), (pipe, "no file matches")])
def test_a_record_file_that_cannot_be_opened(place: Place, happens: Callable[[Path], object], words: str) -> None:
    place.set("dataset", train_images=None, train_records=["*.tfrec"])
    write_tfrecord(place.path("train.tfrec"))
    happens(place.path("train.tfrec"))
    one_line(refusal(place), "data/", ".tfrec", words)


WEIGHTS = {
    "missing": (gone, "no such file or folder"),
    "a folder": (folder, "a folder, not a file"),
    "a named pipe": (pipe, "a named pipe, not a file"),
    "a link to itself": (loop, "a symbolic link that leads back to itself"),
    "forbidden": (refuse, "permission denied"),
}


@pytest.mark.parametrize("fault", WEIGHTS)
def test_a_weights_file_that_cannot_be_opened(place: Place, fault: str) -> None:
    happens, words = WEIGHTS[fault]
    path = place.folder / "own.weights.h5"
    path.touch()
    happens(path)
    place.set("models.a", weights=path.name)
    one_line(refusal(place), "config: models.a.weights is 'own.weights.h5'", words)
