"""A model on disk is checked before it is used."""

import json
import pickle
import shutil
import zipfile

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import METADATA, OUR_KEY, Bundle
from MedSegEffNetLib.models.pickles import refuse_objects


@pytest.fixture
def copy(bundle, tmp_path):
    """The folder of a model that may be broken."""
    return shutil.copytree(bundle.folder, tmp_path / "model")


def change(folder, **keys):
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata[OUR_KEY].update(keys)
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")


def test_a_model_that_was_just_built_is_whole(bundle):
    bundle.verify()
    assert (bundle.name, bundle.version, bundle.task_id) == ("tumor-slices-unet", "0.1.0", "tumor-slices")
    assert [channel.name for channel in bundle.channels] == ["t1", "flair", "t1ce"]
    assert bundle.labels[0].terminology.type.meaning == "Neoplasm"
    assert bundle.card.startswith("# tumor-slices-unet 0.1.0")


@pytest.mark.parametrize("name", ["models/model.pt", "models/network.bin", "docs/README.md", "configs/inference.json"])
def test_a_changed_file_is_named(name, copy):
    path = copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name} has changed"):
        Bundle.open(copy).verify()


def test_a_missing_and_an_extra_file_are_named(copy):
    (copy / "models" / "more.txt").touch()
    with pytest.raises(InputError, match=r"more\.txt does not belong"):
        Bundle.open(copy).verify()
    (copy / "models" / "network.bin").unlink()
    with pytest.raises(InputError, match=r"network\.bin is missing"):
        Bundle.open(copy).verify()


class Harmful:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return print, ("this must never be printed",)


def test_weights_with_a_pickled_object_are_refused_without_loading_them(tmp_path, capsys):
    path = tmp_path / "network.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network/data.pkl", pickle.dumps({"weight": Harmful()}))
    with pytest.raises(InputError, match="could run code"):
        refuse_objects(path)
    assert capsys.readouterr().out == ""


def test_a_whole_pickled_module_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "network.pt")
    with pytest.raises(InputError, match="Linear"):
        refuse_objects(tmp_path / "network.pt")


def test_garbage_is_no_file_of_weights(tmp_path):
    (tmp_path / "network.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no file of weights"):
        refuse_objects(tmp_path / "network.pt")


def test_a_newer_schema_and_missing_keys_are_refused(copy):
    change(copy, schema=99)
    with pytest.raises(InputError, match="newer version"):
        Bundle.open(copy)
    change(copy, schema=1, regions=None)
    with pytest.raises(InputError, match="regions"):
        Bundle.open(copy)
    (copy / METADATA).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        Bundle.open(copy)
    with pytest.raises(InputError, match="no model"):
        Bundle.open(copy / "docs")


def a_weights_file(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network/data.pkl", content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        # os.system from the memo, under two harmless strings that stand last in the file
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x9400"
        b"h\x00h\x01\x93\x8c\x04true\x85R.",
        b"\x80\x02X\x02\x00\x00\x00osq\x000X\x06\x00\x00\x00systemr\x01\x00\x00\x000h\x00j\x01\x00\x00\x00\x93.",
        b"cos\nsystem\n.",
        b"(S'true'\nios\nsystem\n.",
    ],
    ids=["memoize", "binput", "global", "inst"],
)
def test_a_name_is_found_however_a_pickle_hides_it(tmp_path, content):
    with pytest.raises(InputError, match=r"os system|posix system"):
        refuse_objects(a_weights_file(tmp_path / "network.pt", content))


@pytest.mark.parametrize("content", [b"", b"\x80\x04h\x07.", b"(" * 9, b"\x80\x04]q\x00(h\x00e", b"\x82\x01."])
def test_a_forged_pickle_is_no_file_of_weights(tmp_path, content):
    with pytest.raises(InputError, match="no file of weights"):
        refuse_objects(a_weights_file(tmp_path / "network.pt", content))


def test_every_pickle_of_the_file_is_looked_at(bundle, tmp_path):
    path = shutil.copy(bundle.folder / "models" / "model.pt", tmp_path)
    refuse_objects(tmp_path / "model.pt")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("second/data.pkl", b"cos\nsystem\n.")
    with pytest.raises(InputError, match="os system"):
        refuse_objects(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "keys",
    [
        {"networks": []},
        {"networks": [{"name": "unet_2d"}]},
        {"inputs": [{"name": "t1"}]},
        {"inputs": []},
        {"inputs": ["t1"]},
        {"labels": [{"value": 1}]},
        {"regions": [{"labels": 3}]},
        {"thresholds": []},
        {"activation": "relu"},
        {"preprocessing": [{}]},
    ],
    ids=str,
)
def test_malformed_keys_are_refused_when_the_model_is_opened(copy, keys):
    change(copy, **keys)
    with pytest.raises(InputError, match="malformed"):
        Bundle.open(copy)


def test_a_model_without_a_version_is_refused(copy):
    metadata = json.loads((copy / METADATA).read_text(encoding="utf-8"))
    del metadata["version"]
    (copy / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(InputError, match=r"malformed.*version"):
        Bundle.open(copy)
