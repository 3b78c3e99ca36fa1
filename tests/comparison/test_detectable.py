"""The smallest difference that is found, against a simulation, where SciPy's tails give out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from agfer_bench.comparison.inference import POWER, Difference


@pytest.mark.parametrize("df", [1, 3, 40, 20_000, 10**6])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3, 0.05 / 78])
def test_it_is_found_with_the_chance_that_is_stated(df: int, alpha: float) -> None:
    one = Difference(
        unit="subjects",
        units=80,
        folds=3,
        trainings=(3,),
        estimate=0.0,
        subject=0.0,
        training=0.01**2,
        residual=0.0,
        df=df,
        unit_df=77,
    )
    effect = one.detectable(alpha)
    assert effect is not None
    random = np.random.default_rng(1)
    scale = np.sqrt(random.chisquare(df, 200_000) / df)
    t = (random.normal(size=200_000) + effect / one.error) / scale
    found = np.mean(np.abs(t) > stats.t.isf(alpha / 2, df))
    assert found == pytest.approx(POWER, abs=0.005)
