"""What runs the network, and what is said when it is not there."""

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.inference import engine
from MedSegEffNetLib.inference.options import Options


@pytest.mark.parametrize(
    ("options", "found", "package"),
    [
        (
            Options(engine="torch"),
            "the engine torch needs torch",
            "torch with pip (in Slicer: section Environment, size GPU)",
        ),
        (Options(device="cuda"), "the device cuda needs torch", "torch"),
        (Options(engine="openvino"), "the engine openvino needs openvino", "openvino"),
        (Options(), "nothing is installed", "openvino with pip (in Slicer: section Environment, size Light)"),
    ],
)
def test_what_is_missing_is_what_is_to_be_installed(monkeypatch, options, found, package):
    monkeypatch.setattr(engine, "_installed", lambda module: False)
    with pytest.raises(InputError, match=found) as caught:
        engine.choose(options, 1)
    assert f"install {package}" in caught.value.hint


def test_torch_is_not_asked_about_gpus_where_none_has_a_driver(monkeypatch):
    monkeypatch.setattr(engine, "_gpus", tuple)
    monkeypatch.setattr(engine, "_installed", lambda module: True)
    monkeypatch.setattr(engine, "_gpu_fault", lambda device: pytest.fail("torch was loaded"))
    assert engine.choose(Options(), 1).device == "cpu"


def test_packages_that_are_missing_are_no_fault_of_warming_up(monkeypatch):
    monkeypatch.setattr(engine, "_installed", lambda module: False)
    engine.warm_up(Options())
