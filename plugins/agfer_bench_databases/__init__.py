"""Readers of face data sets: licensed ones that users bring, and folders of their own."""

from __future__ import annotations

from collections.abc import Sequence

from agfer_bench import DatasetSpec, hookimpl
from agfer_bench_databases.ck_plus import read_ck_plus
from agfer_bench_databases.faces import read_faces
from agfer_bench_databases.fer2013 import read_fer2013
from agfer_bench_databases.image_folder import read_image_folder
from agfer_bench_databases.jaffe import read_jaffe
from agfer_bench_databases.kdef import read_kdef
from agfer_bench_databases.muxspace import read_muxspace
from agfer_bench_databases.oulu_casia import read_oulu_casia
from agfer_bench_databases.raf_db import read_raf_db


@hookimpl
def face_datasets() -> Sequence[DatasetSpec]:
    """Offer the readers."""
    return [
        DatasetSpec(
            name="image-folder",
            read=read_image_folder,
            summary="<folder>/<emotion>/<image>, with metadata.csv if there is one",
            source="https://huggingface.co/docs/datasets/image_dataset#imagefolder",
        ),
        DatasetSpec(
            name="oulu-casia",
            read=read_oulu_casia,
            summary="OULU-CASIA, six emotions: OriginalImg/VL/Strong/P001/Anger/000.jpeg",
            source="https://doi.org/10.1016/j.imavis.2011.07.002",
        ),
        DatasetSpec(
            name="faces",
            read=read_faces,
            summary="FACES, six emotions, three age groups: 004_o_m_a_a.jpg",
            source="https://doi.org/10.3758/BRM.42.1.351",
        ),
        DatasetSpec(
            name="ck-plus",
            read=read_ck_plus,
            summary="CK+, eight emotions: cohn-kanade-images/S005/001/*.png beside Emotion",
            source="https://doi.org/10.1109/CVPRW.2010.5543262",
        ),
        DatasetSpec(
            name="jaffe",
            read=read_jaffe,
            summary="JAFFE, seven emotions: KA.AN1.39.tiff",
            source="https://doi.org/10.5281/zenodo.3451524",
        ),
        DatasetSpec(
            name="kdef",
            read=read_kdef,
            summary="KDEF, seven emotions, five angles: AF01ANS.JPG",
            source="https://kdef.se",
        ),
        DatasetSpec(
            name="fer2013",
            read=read_fer2013,
            summary="FER2013, seven emotions, no subjects: fer2013.csv",
            source="https://arxiv.org/abs/1307.0414",
        ),
        DatasetSpec(
            name="muxspace",
            read=read_muxspace,
            summary="muxspace/facial_expressions, eight emotions: images beside data/legend.csv",
            source="https://github.com/muxspace/facial_expressions",
        ),
        DatasetSpec(
            name="raf-db",
            read=read_raf_db,
            summary="RAF-DB, seven emotions, no subjects: EmoLabel beside Image/aligned",
            source="https://doi.org/10.1109/CVPR.2017.277",
        ),
    ]
