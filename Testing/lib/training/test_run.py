"""A training from files to a model, killed and resumed, stopped, refused."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.errors import InputError, Stopped
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job, read_events
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training import checkpoint
from MedSegEffNetLib.training.request import parent_as_begun
from MedSegEffNetLib.training.run import train

from .conftest import TINY


def settings(*more):
    return dict(text.split("=", 1) for text in (*TINY, *more))


def command(patients, run, *more):
    return [
        *(sys.executable, "-m", "MedSegEffNetLib", "train", "tumor-slices", "--network", "unet_2d"),
        *("--data", str(patients), "--run", str(run), "--threads", "1", "--set", *TINY, *more),
    ]


def losses(run):
    """Losses by epoch; an epoch that was done twice (killed before its checkpoint) counts once."""
    events, _ = read_events(run)
    return {e["epoch"]: (e["train_loss"], e["val_loss"]) for e in events if e["event"] == "epoch"}


@pytest.fixture(scope="module")
def finished(patients, tmp_path_factory):
    """A run that nobody disturbed."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    subprocess.run(command(patients, run, "epochs=30"), check=True, capture_output=True)
    return run


def test_a_training_ends_with_a_model_that_segments(finished, patients):
    bundle = Bundle.open(finished / "model")
    bundle.verify()
    task = get_segmentation_task("tumor-slices")
    case = next(case for case in read_folder(patients, task) if case.split == "val")
    images, _ = case.load()
    result = segment_case(images, bundle, Options(device="cpu", engine="torch"), Job.open(None, {}))
    assert result.label_map.shape == (32, 32, 4)
    assert set(np.unique(result.label_map.array)) <= {0, 1}


def test_the_model_says_what_it_was_trained_on(finished):
    provenance = Bundle.open(finished / "model").info["provenance"]
    assert provenance["data"]["cases"]["train"] == ["P0", "P1"]
    assert provenance["data"]["cases"]["val"] == ["P2"]
    assert provenance["recipe"]["epochs"] == 30
    assert provenance["epochs_trained"] == 30
    assert provenance["synthesised"] is False


def test_the_best_weights_by_further_figures_become_models_of_their_own(patients, tmp_path):
    more = settings("epochs=2", "loss=bce", "monitor=accuracy", "also_monitor=iou,epoch")
    train("tumor-slices", patients, tmp_path / "run", network="unet_2d", settings=more)
    epochs = {}
    for name in ("model", "model-iou", "model-epoch"):
        bundle = Bundle.open(tmp_path / "run" / name)
        bundle.verify()
        epochs[name] = bundle.info["provenance"]["best_epoch"]
    rows = [event for event in read_events(tmp_path / "run")[0] if event["event"] == "epoch"]
    assert epochs["model"] == max(rows, key=lambda row: row["val_accuracy"])["epoch"]
    assert epochs["model-iou"] == max(rows, key=lambda row: row["val_iou"])["epoch"]
    assert epochs["model-epoch"] == 2


def test_the_loss_falls(finished):
    rows = losses(finished)
    assert rows[30][0] < rows[1][0]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_run_that_is_killed_twice_ends_with_the_same_losses(finished, patients, tmp_path):
    run = tmp_path / "killed"
    for wanted in (2, 9):
        process = subprocess.Popen(command(patients, run, "epochs=30"), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(losses(run)) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (run / "model").exists()
    subprocess.run(command(patients, run, "epochs=30"), check=True, capture_output=True)
    assert losses(run) == losses(finished)


def test_a_resumed_run_keeps_its_settings(finished, patients):
    with pytest.raises(InputError, match="other settings"):
        train("tumor-slices", patients, finished, network="unet_2d", settings=settings("epochs=9"))


def test_a_file_called_stop_ends_the_run_in_good_order(patients, tmp_path):
    run = tmp_path / "stopped"

    def stop(event):
        if event["event"] == "checkpoint":
            (run / "STOP").touch()

    with pytest.raises(Stopped):
        train("tumor-slices", patients, run, network="unet_2d", settings=settings(), listener=stop)
    events, _ = read_events(run)
    assert events[-1]["event"] == "stopped"
    train("tumor-slices", patients, run, network="unet_2d", settings=settings())
    assert (run / "model").is_dir()


def test_a_run_that_is_stopped_within_an_epoch_goes_on_with_the_same_losses(finished, patients, tmp_path):
    run = tmp_path / "stopped"
    stops = [f"Epoch {epoch} of 30" for epoch in (2, 4)]

    def stop(event):
        if stops and event.get("stage") == stops[0] and event["done"] < event["total"]:
            stops.pop(0)
            (run / "STOP").touch()

    for _ in range(2):
        with pytest.raises(Stopped):
            train(
                "tumor-slices",
                patients,
                run,
                network="unet_2d",
                settings=settings("epochs=30"),
                threads=1,
                listener=stop,
            )
        assert checkpoint.load(run / checkpoint.LAST)["halfway"]
    subprocess.run(command(patients, run, "epochs=30"), check=True, capture_output=True)
    assert losses(run) == losses(finished)


def test_the_best_weights_of_a_stopped_run_become_a_model(patients, tmp_path):
    run = tmp_path / "run"
    given = {"network": "unet_2d", "settings": settings()}
    with pytest.raises(InputError, match="no training was begun"):
        train("tumor-slices", patients, run, finish=True, **given)

    def stop(event):
        if event["event"] in ("started", "checkpoint"):
            (run / "STOP").touch()

    with pytest.raises(Stopped):
        train("tumor-slices", patients, run, listener=stop, **given)
    with pytest.raises(InputError):
        train("tumor-slices", patients, run, finish=True, **given)
    for _ in range(2):  # in the first epoch, then after it
        with pytest.raises(Stopped):
            train("tumor-slices", patients, run, listener=lambda e: e["event"] == "checkpoint" and stop(e), **given)
    model = train("tumor-slices", patients, run, finish=True, **given)
    provenance = Bundle.open(model).info["provenance"]
    assert provenance["epochs_trained"] == 2
    assert len(losses(run)) == 2
    assert read_events(run)[0][-1]["model"] == "model"
    train("tumor-slices", patients, run, **given)  # and it may go on all the same
    assert Bundle.open(model).info["provenance"]["epochs_trained"] == 3


def test_an_older_run_that_knows_fewer_settings_is_resumed(patients, tmp_path):
    run = tmp_path / "run"
    train("tumor-slices", patients, run, network="unet_2d", settings=settings("epochs=1"))
    content = json.loads((run / "job.json").read_text(encoding="utf-8"))
    for name in ("trained", "augmentation_strength"):
        del content["request"]["recipe"][name]
    (run / "job.json").write_text(json.dumps(content), encoding="utf-8")
    train("tumor-slices", patients, run, network="unet_2d", settings=settings("epochs=1"))


def test_previews_and_curves_lie_in_the_run_folder(finished):
    events = [event for event in read_events(finished)[0] if event["event"] == "preview"]
    assert {event["case"] for event in events} == {"P2"}
    assert [event["epoch"] for event in events] == list(range(1, 31))
    assert all((finished / event["path"]).is_file() for event in events)
    pytest.importorskip("tensorboardX")
    assert any((finished / "tensorboard").iterdir())


def test_the_time_left_shrinks_to_nothing(finished):
    left = [event["seconds_left"] for event in read_events(finished)[0] if event["event"] == "epoch"]
    assert left[-1] == 0
    assert all(seconds > 0 for seconds in left[:-1])


def test_the_decoder_alone_can_be_trained_on(finished, patients, tmp_path):
    with pytest.raises(InputError, match="without a model to start from"):
        train("tumor-slices", patients, tmp_path / "run", network="unet_2d", settings=settings("trained=decoder"))
    changes = {"epochs": "1", "precision": "float32", "trained": "decoder"}
    model = train("tumor-slices", patients, tmp_path / "run", parent=str(finished / "model"), settings=changes)
    before, after = (Bundle.open(folder).state_dict(0) for folder in (finished / "model", model))
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert "decoder" in changed
    assert "encoder" not in changed


def test_another_model_can_be_the_start(finished, patients, tmp_path):
    run = tmp_path / "tuned"
    model = train(
        "tumor-slices", patients, run, parent=str(finished / "model"), settings={"epochs": "1", "precision": "float32"}
    )
    assert Bundle.open(model).info["provenance"]["parent"] == "tumor-slices-unet@0.1.0"
    assert losses(run)[1][0] < losses(finished)[1][0]


def test_a_resumed_training_goes_on_from_the_version_that_its_parent_s_name_meant(tmp_path):
    def begun(command):
        request = {"command": command, "parent": "tumor-slices-efficientnet@1.0.0"}
        (tmp_path / "job.json").write_text(json.dumps({"schema": 1, "request": request}), encoding="utf-8")
        return tmp_path

    names = ("tumor-slices-efficientnet", "tumor-slices", "tumor-slices-efficientnet@1.1.0", "tumor-slices-unet", None)
    assert [parent_as_begun(begun("train"), name) for name in names] == [
        *("tumor-slices-efficientnet@1.0.0", "tumor-slices-efficientnet@1.0.0"), *names[2:],
    ]  # fmt: skip
    assert parent_as_begun(begun("train-check"), names[0]) == names[0]
    assert parent_as_begun(tmp_path / "new", names[0]) == names[0]


@pytest.mark.parametrize("changed", [{"context": "2"}, {"network.channels": "[4,16]"}])
def test_a_start_from_a_model_keeps_its_network(changed, finished, patients, tmp_path):
    with pytest.raises(InputError, match="do not fit into the network"):
        train("tumor-slices", patients, tmp_path / "run", parent=str(finished / "model"), settings=changed)
    with pytest.raises(InputError, match="whose network is unet_2d"):
        train(
            "tumor-slices", patients, tmp_path / "run", parent=str(finished / "model"), network="efficientnet_unet_2d"
        )
    assert not (tmp_path / "run").exists()


def test_a_run_whose_request_is_damaged_is_refused(patients, tmp_path):
    (tmp_path / "job.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        train("tumor-slices", patients, tmp_path, network="unet_2d", settings=settings())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": "0"}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"lerning_rate": "1"}, "lerning_rate"),
        ({"loss": "hinge"}, "hinge"),
        ({"augmentation.elastic": "1"}, "elastic"),
        ({"augmentation.zoom": "1.5"}, "zoom"),
        ({"augmentation": "5"}, "augmentation"),
        ({"seed": "[1]"}, "seed"),
        ({"learning_rate": "NaN"}, "learning_rate"),
        ({"patch_size": "-32"}, "patch_size"),
        ({"epochs": "true"}, "epochs"),
        ({"network.foo": "3"}, "foo"),
        ({"network.channels": "7"}, "cannot be built"),
        ({"network.channels": "[-4,8]"}, "cannot be built"),
        ({"network.dropout": "5"}, "cannot be built"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_written(changed, message, patients, tmp_path):
    with pytest.raises(InputError, match=message):
        train("tumor-slices", patients, tmp_path / "run", network="unet_2d", settings={**settings(), **changed})
    assert not (tmp_path / "run").exists()


def test_unknown_tasks_folders_and_networks_are_refused(patients, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(InputError, match="no task"):
        train("tumour", patients, run)
    with pytest.raises(InputError, match="no folder"):
        train("tumor-slices", tmp_path / "nothing", run)
    with pytest.raises(InputError, match="no network"):
        train("tumor-slices", patients, run, network="unet_9d")
    with pytest.raises(InputError, match="synthesis"):
        train("mri-synthesis", patients, run)
    with pytest.raises(InputError, match="no cases for brain-tumor"):
        train("brain-tumor", patients, run)
    assert not run.exists()


def test_the_request_is_written_whole(finished):
    request = json.loads((finished / "job.json").read_text(encoding="utf-8"))["request"]
    assert request["recipe"]["epochs"] == 30
    assert request["network"] == "unet_2d"
    assert request["seed"] == 0


def heels(folder, brightness):
    """Two images of four bands each, as NumPy slices."""
    layers = np.repeat(np.array([0, 1, 2, 3, 4, 4], dtype=np.uint8), 6)[:32, None] * np.ones((1, 32), dtype=np.uint8)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in (1, 2):
        np.save(folder / "images" / f"heel_{number}.npy", layers * np.float32(brightness))
        np.save(folder / "masks" / f"heel_{number}.npy", layers)
    return folder


def test_a_training_that_goes_on_from_a_model_learns_the_units_of_its_own_images(tmp_path):
    settings = {"epochs": "1", "validation_fraction": "0.5", "network.channels": "[4,8]", "size": "32"}
    first = train("skin-layers", heels(tmp_path / "a", 10), tmp_path / "1", network="unet_2d", settings=settings)
    data, settings = heels(tmp_path / "b", 1000), {"epochs": "1", "validation_fraction": "0.5"}
    second = train("skin-layers", data, tmp_path / "2", parent=str(first), settings=settings)
    maxima = [Bundle.open(model).info["preprocessing"][0]["arguments"]["maximum"] for model in (first, second)]
    assert maxima == [40, 4000]
