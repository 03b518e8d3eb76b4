"""Numbers in words."""

from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.wording import plural, unsure_text, volume_text
from MedSegEffNetLib.image import Image

from .conftest import AFFINE, ANN, brain, label


def test_one_is_not_many():
    assert (plural(0, "case"), plural(1, "case"), plural(2, "case")) == ("0 cases", "1 case", "2 cases")


def test_the_worse_figure_tells_how_unsure_a_label_is():
    assert unsure_text({"uncertainty": 0.12, "agreement": 0.95}) == "12 %"
    assert unsure_text({"uncertainty": 0.12, "agreement": 0.8}) == "20 %"
    assert unsure_text({}) == ""


def test_volumes_are_voxels_where_these_have_no_known_size(dataset):
    for known, text in ((True, "tumor 0.35 mL"), (False, "tumor 72 voxels")):  # 6 x 6 x 2 of 4.88 mm3
        image = Image(brain(int(known)), AFFINE, (), known)
        new = NewCase("case", "P", {"t1": image}, {}, Image(label(6).array, AFFINE, (), known))
        record = add_case(dataset, new, ANN)
        assert volume_text(record, record.label) == text
