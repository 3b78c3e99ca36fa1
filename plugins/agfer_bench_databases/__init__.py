"""Readers of face data sets: licensed ones that users bring, and folders of their own."""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import DatasetSpec, hookimpl
from agfer_bench_databases import layouts
from agfer_bench_databases.affectnet import read_affectnet
from agfer_bench_databases.ck_plus import read_ck_plus
from agfer_bench_databases.expw import read_expw
from agfer_bench_databases.faces import read_faces
from agfer_bench_databases.fer2013 import read_fer2013
from agfer_bench_databases.hugging_face import read_hugging_face
from agfer_bench_databases.image_folder import read_image_folder
from agfer_bench_databases.jaffe import read_jaffe
from agfer_bench_databases.kdef import read_kdef
from agfer_bench_databases.muxspace import read_muxspace
from agfer_bench_databases.oulu_casia import read_oulu_casia
from agfer_bench_databases.raf_db import read_raf_db
from agfer_bench_databases.sfew import read_sfew

_AGREEMENT = "research only, by signed agreement"
_RESEARCH = "non-commercial research only"
_OF_THE_WEB = "photographs from the web, whose rights are others'"
_OWN = "as the images' own"


@hookimpl
def face_datasets() -> Sequence[DatasetSpec]:
    """Offer the readers."""
    return [
        DatasetSpec(
            name="image-folder",
            read=read_image_folder,
            licence=_OWN,
            fits=layouts.of_image_folder,
            summary="<folder>/<emotion>/<image>, with metadata.csv if there is one",
            source="https://huggingface.co/docs/datasets/image_dataset#imagefolder",
        ),
        DatasetSpec(
            name="oulu-casia",
            read=read_oulu_casia,
            licence=_AGREEMENT,
            fits=layouts.of_oulu_casia,
            summary="OULU-CASIA, six emotions: OriginalImg/VL/Strong/P001/Anger/000.jpeg",
            source="https://doi.org/10.1016/j.imavis.2011.07.002",
        ),
        DatasetSpec(
            name="faces",
            read=read_faces,
            licence=_AGREEMENT + " for each study; images are processed only by consent",
            fits=layouts.of_faces,
            summary="FACES, six emotions, three age groups: 004_o_m_a_a.jpg",
            source="https://doi.org/10.3758/BRM.42.1.351",
        ),
        DatasetSpec(
            name="ck-plus",
            read=read_ck_plus,
            licence=_AGREEMENT,
            fits=layouts.of_ck_plus,
            summary="CK+, eight emotions: cohn-kanade-images/S005/001/*.png beside Emotion",
            source="https://doi.org/10.1109/CVPRW.2010.5543262",
        ),
        DatasetSpec(
            name="jaffe",
            read=read_jaffe,
            licence=_RESEARCH + ", on request",
            fits=layouts.of_jaffe,
            summary="JAFFE, seven emotions: KA.AN1.39.tiff",
            source="https://doi.org/10.5281/zenodo.3451524",
        ),
        DatasetSpec(
            name="kdef",
            read=read_kdef,
            licence=_RESEARCH,
            fits=layouts.of_kdef,
            summary="KDEF, seven emotions, five angles: AF01ANS.JPG",
            source="https://kdef.se",
        ),
        DatasetSpec(
            name="fer2013",
            read=read_fer2013,
            licence=_OF_THE_WEB + "; votes of FER+: MIT License",
            fits=layouts.of_fer2013,
            summary="FER2013 and FER+, no subjects: fer2013.csv, or train/angry",
            source="https://arxiv.org/abs/1307.0414",
        ),
        DatasetSpec(
            name="muxspace",
            read=read_muxspace,
            licence="Apache License 2.0 for the collection; " + _OF_THE_WEB,
            fits=layouts.of_muxspace,
            summary="muxspace/facial_expressions, eight emotions: images beside data/legend.csv",
            source="https://github.com/muxspace/facial_expressions",
        ),
        DatasetSpec(
            name="raf-db",
            read=read_raf_db,
            licence=f"{_RESEARCH}, on request; {_OF_THE_WEB}",
            fits=layouts.of_raf_db,
            summary="RAF-DB, seven emotions, no subjects: EmoLabel beside Image, or train/1",
            source="https://doi.org/10.1109/CVPR.2017.277",
        ),
        DatasetSpec(
            name="affectnet",
            read=read_affectnet,
            licence=f"{_AGREEMENT}; {_OF_THE_WEB}",
            fits=layouts.of_affectnet,
            summary="AffectNet, eight emotions, no subjects: training.csv, train_set or train/0",
            source="https://doi.org/10.1109/TAFFC.2017.2740923",
        ),
        DatasetSpec(
            name="expw",
            read=read_expw,
            licence=f"{_RESEARCH}; {_OF_THE_WEB}",
            fits=layouts.of_expw,
            summary="ExpW, seven emotions, no subjects: label.lst, faces cut out by their boxes",
            source="https://doi.org/10.1007/s11263-017-1055-1",
        ),
        DatasetSpec(
            name="sfew",
            read=read_sfew,
            licence=_AGREEMENT,
            fits=layouts.of_sfew,
            summary="SFEW, seven emotions, no subjects: Train/Angry beside Val/Angry",
            source="https://doi.org/10.1109/ICCVW.2011.6130508",
        ),
        DatasetSpec(
            name="hugging-face",
            read=read_hugging_face,
            licence=_OWN,
            fits=layouts.of_hugging_face,
            summary="Parquet files as data/train-*.parquet, or *.arrow of save_to_disk",
            source="https://huggingface.co/docs/hub/datasets-image",
        ),
    ]
