import csv
import io
import json
import math
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib import report
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting import charts, page, pictures
from MedSegEffNetLib.task import Code, Label, Region, Terminology

TERMS = Terminology(Code("SCT", "1", "category"), Code("SCT", "2", "type"))
TUMOR, EDEMA = Label(1, "tumor <core>", (255, 0, 0), TERMS), Label(2, "edema", (0, 255, 0), TERMS)
TO_RAS = {
    "RAS": np.diag([1.0, 1, 4, 1]),
    "LPS": np.diag([-1.0, -1, 4, 1]),
    "SLA": np.array([[0, -1.0, 0, 0], [0, 0, 1, 0], [4, 0, 0, 0], [0, 0, 0, 1]]),
}
VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Collects pictures and text of a page and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.addresses, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.addresses += [values[name] for name in ("src", "href") if name in values]
        if tag == "img":
            assert values["alt"]
            data = values["src"].removeprefix("data:image/png;base64,")
            self.pictures.append(Pillow.open(io.BytesIO(b64decode(data, validate=True))))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def patient(orientation="LPS", known=True):
    """A bright box at the right, anterior, superior corner, labeled; 4 mm between slices."""
    right_anterior_superior = np.zeros((30, 24, 8), dtype=np.float32)
    right_anterior_superior += np.random.default_rng(0).random(right_anterior_superior.shape, dtype=np.float32)
    labels = np.zeros(right_anterior_superior.shape, dtype=np.uint8)
    labels[20:27, 16:22, 5:7] = 1
    right_anterior_superior[labels > 0] += 10
    turn = {
        "RAS": lambda a: a,
        "LPS": lambda a: a[::-1, ::-1],
        "SLA": lambda a: a.transpose(2, 0, 1)[:, ::-1],
    }[orientation]
    affine = TO_RAS[orientation]
    return (
        Image(turn(right_anterior_superior), affine, spacing_known=known),
        Image(turn(labels), affine, spacing_known=known),
    )


def write(path, image, label_map, **more):
    report.write_segmentation_report(
        path,
        title="case <1>",
        channels={"t1": image.with_array(np.ones_like(image.array)), "flair": image},
        label_map=label_map,
        labels=[TUMOR, EDEMA],
        volumes_ml={TUMOR.name: 0.336, EDEMA.name: 0.0},
        **more,
    )
    return Reader(path.read_text(encoding="utf-8"))


def test_a_segmentation_report_is_one_page_that_loads_nothing(tmp_path):
    found = write(
        tmp_path / "report.html",
        *patient(),
        regions=[Region("WT", "whole tumor", (1, 2), 2)],
        model="a-model 1.0.0",
        card="# Card\n\nSee [paper](https://example.org), **0.9**.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        warnings=["<b>careful</b>"],
        measured={"seconds": 1.23456},
    )
    assert all(address.startswith("data:") for address in found.addresses)
    assert len(found.pictures) == 3 * 2 + 2 + 2  # views, slices with the label, channels
    for text in (
        "case <1>",
        "tumor <core>",
        "0.34",
        "whole tumor (WT)",
        "<b>careful</b>",
        "a-model 1.0.0",
        "1.23",
        "two",
    ):
        assert text in found.text
    assert "Not for clinical use" in found.text


def test_the_pictures_also_lie_beside_the_page(tmp_path):
    (tmp_path / "report_pictures").mkdir()
    for name in ("slice-8.png", "mine.png"):
        (tmp_path / "report_pictures" / name).write_bytes(b"of an earlier report, or the user's own")
    write(tmp_path / "report.html", *patient())
    names = {path.name for path in (tmp_path / "report_pictures").iterdir()}
    assert {
        "axial-t1.png",
        "coronal-flair.png",
        "sagittal-t1.png",
        "channel-flair.png",
        "slice-1.png",
        "mine.png",
    } <= names
    assert "slice-8.png" not in names


def test_without_spacing_there_are_voxels_but_no_volumes_and_no_directions(tmp_path):
    found = write(tmp_path / "report.html", *patient(known=False))
    assert "spacing unknown" in found.text
    assert "84" in found.text
    assert "0.34" not in found.text
    assert "which side is left is not known" in found.text
    assert "Axial" not in found.text


def test_an_empty_result_is_shown_and_said(tmp_path):
    image, label_map = patient()
    found = write(tmp_path / "report.html", image, label_map.with_array(np.zeros_like(label_map.array)))
    assert "Nothing was segmented" in found.text
    assert len(found.pictures) > 3


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SLA"])
def test_views_are_radiological_whatever_the_files_axes_are(orientation):
    image, label_map = patient(orientation)
    scene = pictures.make_scene({"flair": image}, {"labels": label_map})
    assert scene.shape == (30, 24, 8)
    assert scene.spacing == pytest.approx((1, 1, 4))
    for view in scene.views():
        index = pictures.largest_slice(scene.label_maps["labels"], view)
        gray = np.asarray(pictures.draw(scene, "flair", view, index, size=150).convert("L")).astype(float)
        rows, columns = np.nonzero(gray > 0.9 * gray[20:-20, 20:-20].max())
        assert rows.mean() < gray.shape[0] / 2, "anterior and superior are up"
        assert columns.mean() < gray.shape[1] / 2, "right and anterior are on the left"


def test_pictures_of_thick_slices_are_true_to_scale():
    image, label_map = patient()
    scene = pictures.make_scene({"flair": image}, {"labels": label_map})
    width, height = pictures.draw(scene, "flair", "coronal", 5, size=300).size
    assert width / height == pytest.approx(30 / (8 * 4), rel=0.02)


def test_contours_are_drawn_in_the_labels_color_around_it_and_do_not_fill_it():
    image, label_map = patient()
    scene = pictures.make_scene({"flair": image}, {"labels": label_map})
    index = pictures.largest_slice(scene.label_maps["labels"], "axial")
    plain = np.asarray(pictures.draw(scene, "flair", "axial", index, size=300))
    drawn = np.asarray(pictures.draw(scene, "flair", "axial", index, contours="labels", labels=[TUMOR], size=300))
    red = (drawn == TUMOR.color).all(axis=2)
    rows, columns = np.nonzero(red)
    assert (np.ptp(columns) + 1) / 300 == pytest.approx(7 / 30, abs=0.02)
    assert (np.ptp(rows) + 1) / 240 == pytest.approx(6 / 24, abs=0.02)
    middle = round(rows.mean()), round(columns.mean())
    assert np.array_equal(drawn[middle], plain[middle])


def test_a_single_slice_has_one_view_and_a_channel_on_another_grid_is_resampled():
    label_map = Image(np.ones((20, 16, 1), dtype=np.uint8), np.eye(4))
    image = Image(np.random.default_rng(0).random((40, 32, 1)), np.diag([0.5, 0.5, 1, 1]))
    scene = pictures.make_scene({"mr": image}, {"labels": label_map})
    assert scene.views() == ["axial"]
    assert scene.channels["mr"].shape == (20, 16, 1)


def test_slices_are_numbered_as_the_file_counts_them():
    image, label_map = patient("SLA")
    scene = pictures.make_scene({"flair": image}, {"labels": label_map})
    assert scene.slice_name("axial", 0) == "slice 1 of 8"
    image, label_map = patient("RAS")
    scene = pictures.make_scene({"flair": image}, {"labels": label_map})
    assert scene.slice_name("sagittal", 0) == "slice 30 of 30"


def test_windows_forget_background_outliers_and_what_is_no_number():
    values = np.zeros((20, 20, 20))
    values[5:15, 5:15, 5:15] = np.linspace(100, 200, 1000).reshape(10, 10, 10)
    values[5, 5, 5], values[0, 0, 0] = 1e6, np.nan
    low, high = pictures.intensity_window(values)
    assert 100 < low < 105
    assert 195 < high < 201
    assert pictures.intensity_window(np.full((3, 3, 3), np.nan)) == (0, 1)
    low, high = pictures.intensity_window(np.full((3, 3, 3), 7))
    assert low < high


def test_the_channel_in_which_the_label_stands_out_is_shown():
    image, label_map = patient()
    dull = image.with_array(np.random.default_rng(1).random(image.shape))
    scene = pictures.make_scene({"dull": dull, "flair": image}, {"labels": label_map})
    assert pictures.clearest_channel(scene, "labels") == "flair"


def test_an_evaluation_report_has_tables_bars_examples_and_conventions(tmp_path):
    image, true = patient()
    predicted = true.with_array(np.roll(true.array, 2, axis=0))
    rows = [
        {"case": "good & well", "region": "WT", "dice": 0.9, "hd95": 1.0},
        {"case": "bad", "region": "WT", "dice": 0.0, "hd95": math.nan},
    ]
    summary = {
        "WT": {
            "dice": {"mean": 0.45, "std": 0.6, "median": 0.45, "n": 2},
            "hd95": {"mean": 1.0, "std": math.nan, "median": 1.0, "n": 1},
        }
    }
    report.write_evaluation_report(
        tmp_path / "report.html",
        title="a-model on a set",
        summary=summary,
        rows=rows,
        labels=[TUMOR],
        examples=[report.Example("Best: good & well", image, true, predicted)],
        confusion=np.array([[90, 10], [0, 0]]),
        card="Card",
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Reader(text)
    assert len(found.pictures) == 3
    assert text.count('class="bar"') == 2
    for part in ("good & well", "HD95 (mm)", "1 of 2", "90 (90.0%)", "sample standard deviation", "Card"):
        assert part in found.text
    assert "nan" not in found.text.lower()


def test_bars_of_many_cases_lose_their_names_and_undefined_values_are_named():
    few = charts.bars([("a", 0.5), ("b", math.nan)], "Dice")
    assert "undefined" in few
    assert "</text>" in few
    many = charts.bars([(f"case-{number}", number / 100) for number in range(100)], "Dice", whole=1)
    assert many.count("<rect") == 100
    assert 'text-anchor="end"' not in many


def test_undefined_values_are_empty_cells_and_null(tmp_path):
    rows = [
        {"case": "a", "region": "WT", "dice": 1 / 3, "hd95": math.nan},
        {"case": "b, c", "region": "WT", "dice": 1.0},
    ]
    report.write_per_case_csv(tmp_path / "per_case.csv", rows)
    with (tmp_path / "per_case.csv").open(encoding="utf-8", newline="") as stream:
        read = list(csv.DictReader(stream))
    assert [float(row["dice"]) for row in read] == [1 / 3, 1.0]
    assert [row["hd95"] for row in read] == ["", ""]
    assert read[1]["case"] == "b, c"
    report.write_summary(tmp_path / "summary.json", {"WT": {"hd95": {"mean": math.nan, "n": 0}}})
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == {
        "WT": {"hd95": {"mean": None, "n": 0}}
    }


def test_text_of_a_card_cannot_become_markup():
    html = page.markdown("# <script>\n\nA `<b>` and <i>\n\n- **<u>**")
    for tag in ("<script", "<b>", "<i>", "<u>"):
        assert tag not in html
