"""The papers' formulas in NumPy and SciPy, one image at a time: a second implementation.

Weights come by the names of the blocks' state dicts; everything is in double precision and as in
evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate2d
from scipy.special import expit, softmax

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

BATCH_NORM_EPSILON = 1e-5


def convolve(
    x_CHW: Array, weight_OCKK: Array, bias_O: Array | None = None, apart: int = 1
) -> Array:
    """Correlate with zeros beyond the edge; `apart` is the kernel's dilation."""
    outputs, inputs, side, _ = weight_OCKK.shape
    spread = np.zeros((outputs, inputs, (side - 1) * apart + 1, (side - 1) * apart + 1))
    spread[:, :, ::apart, ::apart] = weight_OCKK
    y = np.zeros((outputs, *x_CHW.shape[1:]))
    for o in range(outputs):
        for c in range(inputs):
            # "same" keeps the size of the first argument only where that is the larger one.
            half = spread.shape[2] // 2
            y[o] += correlate2d(np.pad(x_CHW[c], half), spread[o, c], mode="valid")
    return y if bias_O is None else y + bias_O[:, None, None]


def normalise(x_CHW: Array, w: Weights, name: str) -> Array:
    """Batch normalisation by the running statistics."""
    scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + BATCH_NORM_EPSILON)
    shift = w[f"{name}.bias"] - w[f"{name}.running_mean"] * scale
    return x_CHW * scale[:, None, None] + shift[:, None, None]


def dense(x_C: Array, w: Weights, name: str) -> Array:
    """A fully connected layer that is kept as a 1x1 convolution."""
    y: Array = w[f"{name}.weight"][:, :, 0, 0] @ x_C
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def cbam_original(x: Array, w: Weights) -> Array:
    """Woo et al. 2018, equations 2 and 3."""

    def mlp(x_C: Array) -> Array:
        return dense(relu(dense(x_C, w, "mlp.0")), w, "mlp.2")

    channel: Array = x * expit(mlp(x.mean((1, 2))) + mlp(x.max((1, 2))))[:, None, None]
    pooled = np.stack([channel.max(0), channel.mean(0)])
    gate: Array = expit(normalise(convolve(pooled, w["where.0.weight"]), w, "where.1"))
    y: Array = channel * gate
    return y


def bam(x: Array, w: Weights) -> Array:
    """Park et al. 2018, equations 1 to 4."""
    channel = dense(relu(dense(x.mean((1, 2)), w, "which.0")), w, "which.2")
    channel_C11 = normalise(channel[:, None, None], w, "which.3")
    y = relu(convolve(x, w["where.0.weight"], w["where.0.bias"]))
    y = relu(convolve(y, w["where.2.weight"], w["where.2.bias"], apart=4))
    y = relu(convolve(y, w["where.4.weight"], w["where.4.bias"], apart=4))
    spatial_1HW = normalise(convolve(y, w["where.6.weight"]), w, "where.7")
    refined: Array = x + x * expit(channel_C11 + spatial_1HW)
    return refined


def scse(x: Array, w: Weights) -> Array:
    """Roy et al. 2018, section 2: the sum of cSE and sSE."""
    channel = expit(dense(relu(dense(x.mean((1, 2)), w, "which.0")), w, "which.2"))
    position = expit(np.einsum("c,chw->hw", w["where.0.weight"][0, :, 0, 0], x) + w["where.0.bias"])
    y: Array = np.einsum("c,chw->chw", channel, x) + np.einsum("hw,chw->chw", position, x)
    return y


def simam(x: Array, w: Weights) -> Array:
    """Yang et al. 2021, equations 5 and 6: the inverse of the least energy of each neuron."""
    y = np.empty_like(x)
    for c, plane in enumerate(x):
        mean, variance = plane.mean(), plane.var(ddof=1)
        for position, t in np.ndenumerate(plane):
            energy = 4 * (variance + 1e-4) / ((t - mean) ** 2 + 2 * variance + 2e-4)
            y[c][position] = t * expit(1 / energy)
    return y


def triplet(x: Array, w: Weights) -> Array:
    """Misra et al. 2021, section 3.2, with the map rotated as the paper says."""

    def attend(rotated: Array, name: str) -> Array:
        pooled = np.stack([rotated.max(0), rotated.mean(0)])
        gate = normalise(convolve(pooled, w[f"{name}.0.weight"]), w, f"{name}.1")
        y: Array = rotated * expit(gate)
        return y

    by_CW: Array = attend(x.transpose(1, 0, 2), "gate_CW").transpose(1, 0, 2)
    by_HC = attend(x.transpose(2, 1, 0), "gate_HC").transpose(2, 1, 0)
    by_HW: Array = attend(x, "gate_HW")
    y: Array = (by_CW + by_HC + by_HW) / 3
    return y


def ema(x: Array, w: Weights, groups: int) -> Array:
    """Ouyang et al. 2023, figure 3, a group at a time."""
    each, size = x.shape[0] // groups, x.shape[1] * x.shape[2]
    y = np.empty_like(x)
    for g in range(groups):
        part = x[g * each : (g + 1) * each]
        # The paper's one 1x1 convolution over both pooled strips, one behind the other.
        strips = np.concatenate([part.mean(2), part.mean(1)], axis=1)
        strips = expit(w["narrow.weight"][:, :, 0, 0] @ strips + w["narrow.bias"][:, None])
        rows, columns = strips[:, : x.shape[1]], strips[:, x.shape[1] :]
        narrow = np.einsum("chw,ch,cw->chw", part, rows, columns)
        mean, variance = narrow.mean((1, 2)), narrow.var((1, 2))
        for c in range(each):
            narrow[c] = (narrow[c] - mean[c]) / np.sqrt(variance[c] + BATCH_NORM_EPSILON)
            narrow[c] = narrow[c] * w["norm.weight"][c] + w["norm.bias"][c]
        wide = convolve(part, w["wide.weight"], w["wide.bias"])
        crossed = softmax(narrow.mean((1, 2))) @ wide.reshape(each, size)
        crossed += softmax(wide.mean((1, 2))) @ narrow.reshape(each, size)
        y[g * each : (g + 1) * each] = part * expit(crossed.reshape(1, *x.shape[1:]))
    return y


def srm(x: Array, w: Weights) -> Array:
    """Lee et al. 2019, equations 1 to 5."""
    style = np.stack([x.mean((1, 2)), x.std((1, 2))])
    z_C = np.einsum("kc,kc->c", style, w["style_2C11"][:, :, 0, 0])
    y: Array = x * expit(normalise(z_C[:, None, None], w, "norm"))
    return y


def gct(x: Array, w: Weights) -> Array:
    """Yang et al. 2020, equations 2 to 6, with the root of C written out."""
    alpha, gamma, beta = (w[f"{name}_C11"][:, 0, 0] for name in ("alpha", "gamma", "beta"))
    norms = [np.sqrt((plane**2).sum() + 1e-5) for plane in x]
    s = alpha * np.array(norms)
    share = np.sqrt(len(s)) * s / np.sqrt((s**2).sum() + len(s) * 1e-5)
    gate: Array = 1 + np.tanh(gamma * share + beta)
    return x * gate[:, None, None]


def _windows(x_CHW: Array, side: int) -> Array:
    """Maximum plus mean of windows, cut off at the edge."""
    rows, columns = range(0, x_CHW.shape[1], side), range(0, x_CHW.shape[2], side)
    cut = [[x_CHW[:, r : r + side, c : c + side] for c in columns] for r in rows]
    each = [[part.max((1, 2)) + part.mean((1, 2)) for part in row] for row in cut]
    return np.array(each).transpose(2, 0, 1).reshape(len(x_CHW), -1)


def self_residual_channel(x: Array, w: Weights) -> Array:
    """Ling et al. 2019: each channel gets a mixture of all."""
    query, key, value = (
        np.einsum("oc,chw->ohw", w[f"{name}.weight"][:, :, 0, 0], x)
        for name in ("query", "key", "value")
    )
    query, key = _windows(query, 2), _windows(key, 2)
    refined = np.zeros_like(x)
    for i in range(len(x)):
        weights = softmax(np.array([query[i] @ key[j] for j in range(len(x))]))
        for j in range(len(x)):
            refined[i] += weights[j] * value[j]
    return normalise(w["gamma"] * refined + x, w, "norm")


def self_residual_spatial(x: Array, w: Weights, pool: int) -> Array:
    """Ling et al. 2019: each position gets a mixture of all, or of pooled ones."""
    query, key, value = (
        np.einsum("oc,chw->ohw", w[f"{name}.weight"][:, :, 0, 0], x)
        for name in ("query", "key", "value")
    )
    keys = key.reshape(len(key), -1) if pool == 1 else _windows(key, pool)
    values = value.reshape(len(value), -1) if pool == 1 else _windows(value, pool)
    refined = np.zeros_like(x)
    for r in range(x.shape[1]):
        for c in range(x.shape[2]):
            refined[:, r, c] = values @ softmax(query[:, r, c] @ keys)
    return w["gamma"] * refined + x


def abn(x: Array, w: Weights) -> Array:
    """Fukui et al. 2019, equation 2, behind one residual unit."""
    y = relu(normalise(convolve(x, w["classes.0.branch.0.weight"]), w, "classes.0.branch.1"))
    y = normalise(convolve(y, w["classes.0.branch.3.weight"]), w, "classes.0.branch.4")
    y = relu(x + y)
    y = relu(normalise(convolve(y, w["classes.1.weight"]), w, "classes.2"))
    map_1HW: Array = expit(normalise(convolve(y, w["where.0.weight"]), w, "where.1"))
    return (1 + map_1HW) * x


Paper = Callable[[Array, Weights], Array]
