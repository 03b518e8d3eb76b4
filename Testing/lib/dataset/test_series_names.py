"""Names of files and volumes tell what they are of, and nothing else is read into them."""

from pathlib import Path

import pytest

from MedSegEffNetLib.dataset.series_names import channel_of, is_label, of_two_patients
from MedSegEffNetLib.task import get_segmentation_task

BRAIN = get_segmentation_task("brain-tumor").channels
CT = get_segmentation_task("covid-ct").channels
SKIN = get_segmentation_task("skin-layers").channels

T1 = """
BraTS20_Training_001_t1
BraTS-GLI-00000-000-t1n
Brats18_2013_0_1_t1
synthetic_t1
3: AX T1
201: T1W_TSE
SAG T1 W/O CONTRAST
T1 pre contrast
T1w tra nativ
t1_tse_tra ohne KM
T1 vor KM
T1 unenhanced
eT1W_SE
T1_3D_TFE non contrast
"""
T1CE = """
BraTS20_Training_001_t1ce
BraTS-GLI-00000-000-t1c
t1Gd
T1 POST
3: AX T1 POST GD
T1CE
t1ce_resampled
Ax T1 FS C+
T1 +C
AX T1 +C FS
COR T1 W/ CONTRAST
T1 tse tra nach KM
t1_mprage_sag_p2_iso_KM
t1_mpr_sag_post_contrast
801: eT1W_3D_TFE_Gd
T1wCE
T1 Kontrastmittel
Sag T1 SPACE Gadovist
T1 contrast enhanced
post contrast
T1_C+
T1 POST on FLAIR
T1 post-contrast.nii.gz
T1_post_contrast.nii.gz
t1 gd.nii.gz
T1_contrast.nii
sub-01_ce-gadolinium_T1w.nii.gz
T1 KM.nrrd
AX T1 GAD.nii.gz
T1POST_N4_noneck_regtoFLAIR_brain
"""
T2 = """
BraTS20_Training_001_t2
BraTS-GLI-00000-000-t2w
t2_tse_tra_p2
T2 TSE tra
5: AX T2 FRFSE
T2W_TSE
T2_N4_noneck_regtoFLAIR
"""
FLAIR = """
BraTS20_Training_001_flair
BraTS-GLI-00000-000-t2f
Ax T2 FLAIR
T2W_FLAIR
t2_tirm_tra_dark-fluid
t2_space_dark-fluid_sag_p2_iso
FLAIR longTR
3D_FLAIR
TCGA_CS_4941_19960909_flair
sub-01_FLAIR.nii.gz
FLAIR_to_T1
flair_on_t1.nii.gz
t2_flair_reg2t1
"""
NOTHING = """
AX T1 W/WO
T1 post op
T1 postoperativ
T1 pre and post
T1 pre/post
T1_pre_post
T1 without iv contrast
T1 vor OP mit KM
Ax T1 FLAIR
T1 SUB
T1 Subtraktion KM
T2*
t2_star
T2* GRE
T1 map
PD T2
FLAIR post contrast
ep2d_diff_3scan_trace_p2_ADC
ADNI_002_S_0413_MR_MPRAGE
localizer
SUB-T1
t1_seg
BraTS20_Training_001_seg
flair lesion mask
Volume
T10
T1 uncertainty
t1 t1ce
T1_to_T1_post
T1 registered to MNI post
"""
CASES = [
    (name, channel)
    for channel, names in {"t1": T1, "t1ce": T1CE, "t2": T2, "flair": FLAIR, None: NOTHING}.items()
    for name in names.strip().splitlines()
]


@pytest.mark.parametrize(("name", "channel"), CASES)
def test_a_name_tells_its_channel_or_none(name, channel):
    assert channel_of(name, "", BRAIN) == channel


def test_the_series_description_tells_where_the_name_does_not():
    assert channel_of("Volume_3", "AX T1 POST", BRAIN) == "t1ce"
    assert channel_of("T1", "AX T1 POST", BRAIN) is None
    assert channel_of("T1 POST", "t1_se_tra KM", BRAIN) == "t1ce"


def test_contrast_agent_does_not_matter_to_a_task_without_a_channel_for_it():
    assert channel_of("CT_contrast.nii.gz", "", CT) == "ct"
    assert channel_of("chest without contrast", "", CT) == "ct"


def test_a_map_is_another_image_except_where_a_channel_is_spelled_so():
    assert channel_of("T2 map", "", BRAIN) is None
    assert channel_of("t2_map.nii.gz", "", SKIN) == "t2"


def test_masks_are_known_by_whole_words():
    assert is_label(Path("case_seg.nii.gz"))
    assert is_label(Path("OTMultiClass.nii.gz"))
    assert not is_label(Path("segovia_t1.nii.gz"))


@pytest.mark.parametrize(
    "names",
    [
        ["Anna Mueller flair", "Berta Schmidt t1"],
        ["AnnaMueller_T1", "T1 POST", "Berta FLAIR"],
        ["case_001_t1", "case_002_flair"],
        ["t1_001", "t1ce_002"],
        ["Patient1 FLAIR", "Patient2 T1 POST"],
    ],
)
def test_names_of_two_patients_are_told_apart(names):
    assert of_two_patients(names, BRAIN)


@pytest.mark.parametrize(
    "names",
    [
        ["Mueller Anna flair", "AnnaMueller_T1", "t2"],
        ["BraTS20_Training_001_t1", "BraTS20_Training_001_t1ce"],
        ["1: t1_se_tra", "9: t1_se_tra_KM", "4: t2_tse_tra_4mm", "5: t2_tirm_tra_dark-fluid_5mm"],
        ["801: eT1W_3D_TFE_Gd", "401: T2W_TSE", "501: FLAIR longTR", "Sag T1 SPACE Gadovist"],
        ["T1_N4_noneck_regtoFLAIR_brain", "T1POST_N4_noneck_regtoFLAIR_brain", "FLAIR_N4_noneck_regtoMNI"],
        ["Ax T2 FLAIR", "AX T1 FS POST", "Cor T2 FRFSE", "T1_MPRAGE_iso_bet_registered"],
        ["T1 POST on FLAIR", "FLAIR"],
        ["sub-01_ses-1_T1w", "sub-01_ses-1_FLAIR"],
        ["T1_brain_n4", "FLAIR_mni", "t1_mprage_tra_fatsup", "FLAIR_tra_5mm_HASTE"],
    ],
)
def test_words_about_the_scan_make_no_second_patient(names):
    assert not of_two_patients(names, BRAIN)
