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
