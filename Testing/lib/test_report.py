import io
import math
import re
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


def test_a_doubtful_result_says_so_first_with_its_reasons(tmp_path):
    found = write(tmp_path / "report.html", *patient(), doubts=["<i>Odd</i> volume."], warnings=["Thick slices."])
    verdict, reason, warning = (found.text.index(part) for part in ("Doubtful result", "<i>Odd</i>", "Thick slices."))
    assert verdict < reason < warning < found.text.index("Volumes")
    assert 'class="badge doubtful"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_result_without_doubts_is_not_called_right(tmp_path):
    text = write(tmp_path / "report.html", *patient(), doubts=()).text
    assert "No automatic check speaks against this result" in text
    assert "does not prove it right" in text
    assert "automatic check" not in write(tmp_path / "report.html", *patient()).text


def test_the_channel_asked_for_comes_first_and_shows_the_further_slices(tmp_path):
    for wanted, first in (("t1", "t1"), ("", "flair"), ("t2", "flair")):
        write(tmp_path / "report.html", *patient(), shown_on=wanted)
        captions = re.findall(r"<figcaption>(.*?)</figcaption>", (tmp_path / "report.html").read_text(encoding="utf-8"))
        assert captions[0].startswith(f"Axial · {first} ·")
        assert [caption.partition(" · ")[0] for caption in captions[:3]] == ["Axial", "Coronal", "Sagittal"]


def test_regions_have_a_table_with_their_share_of_the_outermost_one(tmp_path):
    regions = [Region("WT", "whole tumor", (1, 2), 2), Region("TC", "tumor core", (1,), 1)]
    text = write(tmp_path / "report.html", *patient(), regions=regions).text
    assert "Share of whole tumor" in text
    assert "tumor core (TC)0.3484100.0%" in re.sub(r"\s*\n\s*", "", text)
    assert "Region" not in write(tmp_path / "report.html", *patient(), regions=regions[1:]).text


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


def test_a_window_is_for_images_with_values_below_zero_and_not_for_8_bit_slices():
    image, label_map = patient()
    ct = image.with_array(np.linspace(-1024, 3000, image.array.size).reshape(image.shape))
    scene = pictures.make_scene({"ct": ct, "slices": image}, {"labels": label_map}, (-1000, 200))
    assert scene.windows["ct"] == (-1000, 200)
    assert scene.windows["slices"] == pictures.intensity_window(image.array)


def test_the_slice_that_is_shown_has_the_lesion_even_where_the_organ_is_a_little_larger_elsewhere():
    labels = np.zeros((40, 40, 9), dtype=np.uint8)
    labels[5:35, 5:35] = 1
    labels[4, 5:35, 2] = 1
    labels[10:16, 10:16, 6] = 2
    assert pictures.largest_slice(labels, "axial") == 6
    assert pictures.largest_slice(labels == 1, "axial") == 2


def test_the_channel_in_which_the_label_stands_out_is_shown():
    image, label_map = patient()
    dull = image.with_array(np.random.default_rng(1).random(image.shape))
    scene = pictures.make_scene({"dull": dull, "flair": image}, {"labels": label_map})
    assert pictures.clearest_channel(scene, "labels") == "flair"


def an_evaluation(**more):
    image, true = patient()
    predicted = true.with_array(np.roll(true.array, 2, axis=0))
    rows = [
        {"case": "good & well", "region": "WT", "kind": "real", "dice": 0.9, "hd95": 1.0},
        {"case": "bad", "region": "WT", "kind": "real", "dice": 0.0, "hd95": math.nan},
    ]
    example = report.Example("Best: good & well", {"flair": image}, true, predicted)
    settings = {
        "rows": rows,
        "labels": {"tumor": TUMOR.color},
        "examples": (report.draw_example(example, [TUMOR]),),
        "confusion": np.array([[90, 10], [0, 0]]),
        "card": "Card",
    }
    return report.Evaluation("a-model on a set", **{**settings, **more})


def page_of(tmp_path, evaluation):
    report.write_evaluation_page(tmp_path / "report.html", evaluation)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_evaluation_report_has_tables_bars_examples_and_conventions(tmp_path):
    text = page_of(tmp_path, an_evaluation())
    found = Reader(text)
    assert len(found.pictures) == 3
    assert text.count('class="bar"') == 2
    parts = ("good & well", "HD95 (mm)", "1 of 2", "Missed (Dice 0): 1 of 2", "90 (90.0%)", "sample standard deviation")
    for part in (*parts, "Card"):
        assert part in found.text
    assert "nan" not in found.text.lower()


def test_a_3d_case_is_shown_in_three_views_on_the_channel_asked_for():
    image, true = patient()
    images = {"t1ce": image.with_array(np.ones_like(image.array)), "flair": image}
    shown = report.draw_example(report.Example("Best", images, true, true, "t1ce", all_views=True), [TUMOR])
    assert len(shown.pictures) == 9
    assert {picture.caption.split(" · ")[1].split(",")[0] for picture in shown.pictures} == {
        "axial",
        "coronal",
        "sagittal",
    }
    assert all("t1ce" in picture.alt for picture in shown.pictures)
    other = report.draw_example(report.Example("Best", {"flair": image}, true, true, "t1ce"), [TUMOR])
    assert "flair" in other.pictures[0].alt


def test_synthetic_cases_have_tables_of_their_own(tmp_path):
    made = {"case": "made", "region": "WT", "kind": "synthetic", "dice": 0.123}
    evaluation = an_evaluation()
    mixed = an_evaluation(rows=[*evaluation.rows, made])
    text = Reader(page_of(tmp_path, mixed)).text
    assert "Synthetic cases" in text
    assert "of which 1 synthetic" in text
    assert mixed.summary["WT"]["dice"]["mean"] == pytest.approx(0.45)
    alone = an_evaluation(rows=[made])
    assert alone.summary["WT"]["dice"]["mean"] == 0.123
    assert "All cases are synthetic" in Reader(page_of(tmp_path, alone)).text


def test_networks_and_combinations_stand_beside_the_published_figures(tmp_path):
    ensembles = [
        {"ensemble": name, "case": case, "region": region, "kind": "real", "dice": dice, "hd95": 3.25}
        for name, dice in (("first", 0.8), ("t1ce", 0.0))
        for case in ("p", "q")
        for region in ("WT", "ET")
    ]
    text = Reader(page_of(tmp_path, an_evaluation(task_id="brain-tumor", ensembles=ensembles))).text
    for part in (
        "Networks and combinations",
        "0.650 / 0.310 / 0.810",
        "0.800 / 0.000 / 0.800",
        "not directly comparable",
    ):
        assert part in text


def test_the_pixel_accuracy_of_all_labels_is_the_share_of_the_diagonal(tmp_path):
    confusion = np.array([[50, 10], [15, 25]])
    text = Reader(page_of(tmp_path, an_evaluation(task_id="skin-layers", confusion=confusion))).text
    assert "all labels" in text
    assert "0.810" in text
    assert "0.750" in text


def test_a_training_page_has_a_curve_for_each_figure_and_network(tmp_path):
    base = {"version": 1, "time": "2026-01-01T10:00:00.000+00:00"}
    epochs = [
        {**base, "event": "epoch", "network": network, "epoch": float(number), "train_loss": 1.0, "val_loss": None,
         "val_dice": 0.1 * number, "rate": 10.0**-number, "seconds": 2.0, "best_epoch": 2}
        for network in ("t1ce", "flair") for number in (1, 2, 3)
    ]  # fmt: skip
    failed = {**base, "event": "failed", "message": "the disk <full>", "expected": "", "hint": "free some"}
    report.write_training_page(
        tmp_path / "page.html",
        title="Training x",
        request={"task": "brain-tumor", "recipe": {"monitor": "dice", "epochs": 3}},
        events=[{**base, "event": "started"}, *epochs, failed],
        running=False,
        cases={"train": ["a", "b"], "val": ["c"]},
    )
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = Reader(text)
    assert text.count("<svg") == 2 * 3  # loss, Dice, learning rate
    for part in ("Network t1ce", "Dice (monitored)", "best: epoch 2", "the disk <full>", "3 of at most 3", "failed"):
        assert part in found.text
    assert all(address.startswith("data:") for address in found.addresses)


def test_bars_of_many_cases_lose_their_names_and_undefined_values_are_named():
    few = charts.bars([("a", 0.5), ("b", math.nan)], "Dice")
    assert "undefined" in few
    assert "</text>" in few
    many = charts.bars([(f"case-{number}", number / 100) for number in range(100)], "Dice", whole=1)
    assert many.count("<rect") == 100
    assert 'text-anchor="end"' not in many


def test_text_of_a_card_cannot_become_markup():
    html = page.markdown("# <script>\n\nA `<b>` and <i>\n\n- **<u>**")
    for tag in ("<script", "<b>", "<i>", "<u>"):
        assert tag not in html
