"""Models come in whole or not at all, and go out byte by byte the same."""

import json
import pickle
import shutil
import stat
import zipfile

import pytest

from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.models import registry, transfer
from MedSegEffNetLib.models.build import Publication, publish
from MedSegEffNetLib.models.bundle import METADATA, OUR_KEY, Bundle, sha256

NAME = "tumor-slices-unet-0.1.0"


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """The folder of the user's models, empty; nothing is shipped."""
    folder = tmp_path / "Models"
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(folder))
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "shipped")
    return folder


@pytest.fixture
def packed(bundle, tmp_path):
    """The model as a zip."""
    return transfer.export_model(bundle, tmp_path / "model.zip")


@pytest.fixture
def copy(bundle, tmp_path):
    """The model's folder, to be changed."""
    return shutil.copytree(bundle.folder, tmp_path / "copy")


def left(models):
    """The names in the folder of the user's models."""
    return sorted(path.name for path in models.iterdir()) if models.exists() else []


def pack(target, entries):
    """A zip with these texts by name."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return target


def reseal(folder, **keys):
    """Write the checksums of what is in ``folder`` now, as one would who forges a model."""
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    files = [path for path in folder.rglob("*") if path.is_file() and path != folder / METADATA]
    metadata[OUR_KEY]["files"] = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
    metadata[OUR_KEY] |= keys
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")


def test_a_model_comes_back_from_a_zip_as_it_was(bundle, packed, models):
    installed = transfer.import_model(packed)
    assert installed.folder == models / NAME
    assert installed.metadata == bundle.metadata
    installed.verify()
    assert [found.folder for found in registry.list_models()] == [installed.folder]
    assert left(models) == [NAME]


def test_a_model_comes_in_from_its_folder_and_from_the_folder_around_it(copy, models, tmp_path):
    assert transfer.import_model(copy).folder == models / NAME
    transfer.remove_model(models / NAME)
    around = tmp_path / "download"
    around.mkdir()
    shutil.move(copy, around / "model")
    (around / ".DS_Store").write_bytes(b"what a file manager keeps")
    assert transfer.import_model(around).folder == models / NAME


def test_a_zip_without_a_top_folder_with_clutter_or_backslashes_is_taken(bundle, tmp_path, models):
    names = [METADATA.as_posix(), *bundle.info["files"]]
    content = {name: (bundle.folder / name).read_bytes() for name in names}
    clutter = {"__MACOSX/configs/._metadata.json": b"x", "docs/.DS_Store": b"x"}
    transfer.import_model(pack(tmp_path / "flat.zip", content | clutter))
    transfer.remove_model(models / NAME)
    old = {f"model/{name}".replace("/", "\\"): data for name, data in content.items()}
    assert transfer.import_model(pack(tmp_path / "old.zip", old)).folder == models / NAME


def test_an_exported_zip_has_always_the_same_bytes(bundle, packed, tmp_path):
    other = Bundle.open(shutil.copytree(bundle.folder, tmp_path / "elsewhere"))
    assert transfer.export_model(other, tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_export_refuses_a_damaged_model_and_writes_nothing(copy, tmp_path):
    (copy / "docs" / "README.md").write_text("changed", encoding="utf-8")
    with pytest.raises(InputError, match=r"README\.md has changed"):
        transfer.export_model(Bundle.open(copy), tmp_path / "out" / "model.zip")
    assert not (tmp_path / "out").exists()


def test_export_refuses_another_suffix_and_the_models_own_folder(bundle, tmp_path):
    with pytest.raises(InputError, match=r"model\.7z"):
        transfer.export_model(bundle, tmp_path / "model.7z")
    with pytest.raises(InputError, match="own folder"):
        transfer.export_model(bundle, bundle.folder / "docs" / "model.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "model/../../evil.txt",
        "/evil.txt",
        "//server/share/evil.txt",
        "C:/evil.txt",
        "c:evil.txt",
        "..\\..\\evil.txt",
        "model/./evil.txt",
        "model/con.txt",
        "model/COM¹",
        "model/evil.txt.",
        "model/evil ",
        "model/what?.txt",
        "model/stream.txt:hidden",
        "model/new\nline",
        "model/" + "long/" * 30 + "name",
        "model/README.md/file",
        "model/readme.MD",
    ],
)
def test_a_name_that_could_do_harm_is_refused(name, tmp_path, models):
    before = set(tmp_path.rglob("*"))
    source = pack(tmp_path / "evil.zip", {"model/configs/metadata.json": "{}", "model/README.md": "", name: "evil"})
    with pytest.raises(InputError, match="is refused because of"):
        transfer.import_model(source)
    assert set(tmp_path.rglob("*")) - before == {source, models}
    assert left(models) == []


def test_links_are_refused(copy, tmp_path, models):
    link = zipfile.ZipInfo("model/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="it is a link"):
        transfer.import_model(tmp_path / "link.zip")
    try:
        (copy / "docs" / "more").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    with pytest.raises(InputError, match="it is a link"):
        transfer.import_model(copy)
    assert left(models) == []


def test_what_would_fill_the_disk_is_refused_before_it_is_unpacked(tmp_path, models, monkeypatch):
    bomb = pack(tmp_path / "bomb.zip", {"configs/metadata.json": "{}", "zeros": bytes(20_000_000)})
    with pytest.raises(InputError, match="100-fold"):
        transfer.import_model(bomb)
    with pytest.raises(InputError, match="1001 files"):
        transfer.import_model(pack(tmp_path / "many.zip", {f"{number}": "" for number in range(1001)}))
    monkeypatch.setattr(transfer, "MAX_BYTES", 1_000_000)
    large = pack(tmp_path / "large.zip", {"configs/metadata.json": "{}", "a": bytes(600_000), "b": bytes(600_000)})
    with pytest.raises(InputError, match="is refused: 0"):
        transfer.import_model(large)
    assert left(models) == []


def test_a_size_that_is_declared_too_small_is_found_out(tmp_path, models):
    path = pack(tmp_path / "liar.zip", {"configs/metadata.json": b"{}" + bytes(5000)})
    content = path.read_bytes().replace((5002).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        transfer.import_model(path)
    assert left(models) == []


def test_a_torn_zip_and_what_is_none_are_refused(packed, tmp_path, models):
    content = packed.read_bytes()
    (tmp_path / "torn.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cannot be opened as a zip|is no model"):
        transfer.import_model(tmp_path / "torn.zip")
    middle = len(content) // 2
    (tmp_path / "bad.zip").write_bytes(content[:middle] + bytes(50) + content[middle + 50 :])
    with pytest.raises(InputError, match="is damaged"):
        transfer.import_model(tmp_path / "bad.zip")
    with pytest.raises(InputError, match="is not there"):
        transfer.import_model(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no model"):
        transfer.import_model(pack(tmp_path / "other.zip", {"a/b.txt": "x", "c/d.txt": "y"}))
    assert left(models) == []


def test_a_file_that_is_changed_missing_or_added_is_named_with_the_source(copy, models):
    (copy / "models" / "more.bin").write_bytes(b"more")
    with pytest.raises(InputError, match=r"more\.bin does not belong") as caught:
        transfer.import_model(copy)
    assert str(copy) in caught.value.found
    assert "nothing was installed" in caught.value.hint
    (copy / "models" / "more.bin").unlink()
    (copy / "LICENSE").unlink()
    with pytest.raises(InputError, match="LICENSE is missing"):
        transfer.import_model(copy)
    assert left(models) == []


class Harmful:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return print, ("this must never be printed",)


def test_a_forged_model_with_code_in_its_weights_is_refused(copy, models, capsys):
    with zipfile.ZipFile(copy / "models" / "model.pt", "w") as archive:
        archive.writestr("network/data.pkl", pickle.dumps({"weight": Harmful()}))
    reseal(copy)
    with pytest.raises(InputError, match="could run code"):
        transfer.import_model(copy)
    assert capsys.readouterr().out == ""
    assert left(models) == []


@pytest.mark.parametrize("name", ["../../evil", "a/b", "", "nul", "x" * 65])
def test_a_forged_name_does_not_choose_where_the_model_lands(name, copy, models):
    reseal(copy, name=name)
    with pytest.raises(InputError, match="calls itself"):
        transfer.import_model(copy)
    assert left(models) == []


def test_the_same_model_again_changes_nothing_and_another_of_its_name_is_refused(packed, copy, models):
    installed = transfer.import_model(packed)
    stamp = (installed.folder / METADATA).stat()
    assert transfer.import_model(packed).folder == installed.folder
    assert (installed.folder / METADATA).stat().st_ino == stamp.st_ino
    (copy / "docs" / "README.md").write_text("another", encoding="utf-8")
    reseal(copy)
    with pytest.raises(InputError, match=r"another model tumor-slices-unet@0\.1\.0 is installed") as caught:
        transfer.import_model(copy)
    assert "remove the installed one first" in caught.value.hint
    installed.verify()
    assert left(models) == [NAME]


def test_a_damaged_or_broken_model_is_put_right_by_importing_it_again(packed, models):
    installed = transfer.import_model(packed)
    (installed.folder / "LICENSE").unlink()
    transfer.import_model(packed).verify()
    (installed.folder / METADATA).write_text("{", encoding="utf-8")
    transfer.import_model(packed).verify()
    assert left(models) == [NAME]


def test_a_folder_of_that_name_that_is_no_model_is_kept(packed, models):
    (models / NAME).mkdir(parents=True)
    (models / NAME / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="something else"):
        transfer.import_model(packed)
    assert (models / NAME / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert left(models) == [NAME]


def test_two_versions_live_beside_each_other(bundle, models, tmp_path):
    for version in ("0.9.0", "0.10.0"):
        transfer.import_model(publish(bundle.folder, Publication(version, {}, {}, "", ""), tmp_path / version))
    assert left(models) == ["tumor-slices-unet-0.10.0", "tumor-slices-unet-0.9.0"]


def test_stopping_an_import_leaves_nothing(packed, models):
    def stop(stage, done, total):
        if stage == "Check":
            raise Stopped("as asked")

    with pytest.raises(Stopped):
        transfer.import_model(packed, stop)
    assert left(models) == []


def test_an_import_that_cannot_be_renamed_leaves_the_old_model(packed, models, monkeypatch):
    installed = transfer.import_model(packed)
    (installed.folder / "LICENSE").unlink()
    replace = transfer.os.replace

    def fail(source, target):
        if str(source).endswith("model"):
            raise PermissionError(13, "in use")
        replace(source, target)

    monkeypatch.setattr(transfer.os, "replace", fail)
    with pytest.raises(MedSegEffNetError, match="in use"):
        transfer.import_model(packed)
    assert left(models) == [NAME]
    assert (installed.folder / METADATA).is_file()


def test_what_a_killed_import_left_is_no_model_and_goes_with_a_later_one(packed, models, bundle):
    leftover = models / ".import-1234"
    shutil.copytree(bundle.folder, leftover / "model")
    assert registry.list_models() == []
    transfer.os.utime(leftover, (0, 0))
    transfer.import_model(packed)
    assert left(models) == [NAME]


def test_only_the_users_own_models_are_removed(bundle, packed, models, tmp_path):
    shipped = shutil.copytree(bundle.folder, tmp_path / "shipped" / "Models" / "tiny")
    for folder in (shipped, models, models / "nothing", tmp_path):
        with pytest.raises(InputError, match="none of your own models"):
            transfer.remove_model(folder)
    assert Bundle.open(shipped)
    with pytest.raises(InputError, match="is none of your own"):
        transfer.remove_model(transfer.import_model(packed).folder)
    shutil.rmtree(shipped)
    transfer.remove_model(transfer.import_model(packed).folder)
    assert left(models) == []


def test_a_broken_model_can_be_removed(packed, models):
    installed = transfer.import_model(packed)
    (installed.folder / METADATA).write_text("{", encoding="utf-8")
    transfer.remove_model(installed.folder)
    assert left(models) == []
