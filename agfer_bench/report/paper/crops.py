"""Figures 5 and 6: photographs on their way to the network."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from agfer_bench.protocol import WHOLE, is_detector, told_crop
from agfer_bench.report.paper.document import Picture, Plate, Section
from agfer_bench.report.paper.draw_crops import draw_fusion, draw_stages
from agfer_bench.report.paper.study import Example, Study


def crop_section(study: Study) -> Section:
    """The stages of cropping, and the fusion with the mask."""
    if not study.examples:
        text = "No photographs are shown: none were given for the report."
        return Section(title="Cropping and guidance", text=(text,))
    return Section(title="Cropping and guidance", items=(_stages(study), _fusion(study)))


def _stages(study: Study) -> Plate:
    protocol = study.main.protocol
    if protocol.crop == WHOLE:
        how = "The whole photograph is taken (crop=none)."
    elif is_detector(protocol.crop):
        how = (
            f"A detector ({told_crop(protocol.crop)}), not the paper's cascades, finds the largest "
            "face with both eyes, nose and mouth corners. The crop reaches from the top of the "
            "brows to the bottom of the mouth, and as wide as the pair of eyes."
        )
    else:
        how = (
            "The largest face is found; in it the eye at the left of the image, which is grown "
            "over its brow and mirrored to the pair; and the mouth. The crop reaches from the "
            "top of the pair to the bottom of the mouth."
        )
    size = protocol.image_size
    return Plate(
        name="figure-6",
        title="Figure 6: from photograph to crop",
        caption=f"{_shown(study.examples)} {how} At the right the crop, {size} × {size} pixels, "
        "as the network sees it.",
        pictures=(
            Picture(
                name="figure-6",
                alt="Photographs, the boxes found in them, and the crops cut out.",
                draw=partial(draw_stages, study.examples),
            ),
        ),
        data=_boxes(study.examples),
    )


def _fusion(study: Study) -> Plate:
    protocol = study.main.protocol
    guided = (
        f"Crop, mask M, and the fused input: the crop (less its channel means) times (M + α), "
        f"α = {protocol.alpha:g} (equation 1); the means are added again for the picture. The "
        "mask is laid over the input in training only."
        if protocol.guidance
        else "Guidance was off in this study: no network was trained on fused input."
    )
    return Plate(
        name="figure-5",
        title="Figure 5: the mask fused with the input",
        caption=f"{_shown(study.examples)} {guided}",
        pictures=(
            Picture(
                name="figure-5",
                alt="Crops, the guidance mask, and crops darkened outside of the mask.",
                draw=partial(draw_fusion, study.examples, study.mask, protocol.alpha),
            ),
        ),
        data=None,
    )


def _shown(examples: tuple[Example, ...]) -> str:
    sets = list(dict.fromkeys(example.data for example in examples))
    return f"{len(examples)} photographs of {' and '.join(sets)}."


def _boxes(examples: tuple[Example, ...]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"data": one.data, "image": one.name, "emotion": one.emotion, "box": name}
        | dict(zip(("x", "y", "width", "height"), box, strict=True))
        for one in examples
        for name, box in one.boxes.items()
    ]
    return pd.DataFrame(rows)
