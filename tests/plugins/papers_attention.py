"""More of the papers' formulas in NumPy: blocks that attend between positions, or that convolve.

As in `papers`: one image at a time, in double precision, with weights by their names.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf, expit, softmax

from tests.plugins.papers import Array, Weights, convolve, dense, normalise, relu


def pointwise(x_CHW: Array, w: Weights, name: str) -> Array:
    """A 1x1 convolution."""
    y: Array = np.einsum("oc,chw->ohw", w[f"{name}.weight"][:, :, 0, 0], x_CHW)
    return y + w[f"{name}.bias"][:, None, None] if f"{name}.bias" in w else y


def grouped(x_CHW: Array, weight_OCKK: Array, groups: int, apart: int = 1) -> Array:
    """A convolution of each group of channels by itself."""
    parts = zip(np.split(x_CHW, groups), np.split(weight_OCKK, groups), strict=True)
    return np.concatenate([convolve(part, weight, apart=apart) for part, weight in parts])


def windows(x_CHW: Array, side: int, reduce: np.ufunc | None) -> Array:
    """The largest or, without `reduce`, the mean number of windows, as (C, windows)."""
    starts = [
        (r, c) for r in range(0, x_CHW.shape[1], side) for c in range(0, x_CHW.shape[2], side)
    ]
    parts = [x_CHW[:, r : r + side, c : c + side].reshape(len(x_CHW), -1) for r, c in starts]
    each = [part.mean(1) if reduce is None else reduce.reduce(part, axis=1) for part in parts]
    return np.stack(each, axis=1)


def standardise(x: Array, epsilon: float) -> Array:
    """All numbers with mean 0 and variance 1."""
    y: Array = (x - x.mean()) / np.sqrt(x.var() + epsilon)
    return y


def eca(x: Array, w: Weights) -> Array:
    """Wang et al. 2020, section 3.2: a window over the channels' means."""
    kernel_K = w["conv.weight"][0, 0]
    reach = len(kernel_K) // 2
    means = np.pad(x.mean((1, 2)), reach)
    sums = [kernel_K @ means[c : c + len(kernel_K)] for c in range(len(x))]
    y: Array = x * expit(np.array(sums))[:, None, None]
    return y


def global_context(x: Array, w: Weights) -> Array:
    """Cao et al. 2019, the global context block: context, bottleneck, sum."""
    weights = softmax(pointwise(x, w, "conv_attn").reshape(-1))
    context = x.reshape(len(x), -1) @ weights
    hidden = standardise(dense(context, w, "mlp_add.fc1"), 1e-6)
    hidden = relu(hidden * w["mlp_add.norm.weight"] + w["mlp_add.norm.bias"])
    return x + dense(hidden, w, "mlp_add.fc2")[:, None, None]


def coordinate(x: Array, w: Weights) -> Array:
    """Hou et al. 2021, equations 4 to 9, a row and a column at a time."""

    def squeeze(means_C: Array) -> Array:
        y = normalise(dense(means_C, w, "squeeze.0")[:, None, None], w, "squeeze.1")[:, 0, 0]
        swish: Array = y * np.clip(y + 3, 0, 6) / 6
        return swish

    y = x.copy()
    for row in range(x.shape[1]):
        y[:, row] *= expit(dense(squeeze(x[:, row].mean(1)), w, "rows"))[:, None]
    for column in range(x.shape[2]):
        y[:, :, column] *= expit(dense(squeeze(x[:, :, column].mean(1)), w, "columns"))[:, None]
    return y


def sk(x: Array, w: Weights, groups: int) -> Array:
    """Li et al. 2019, equations 1 to 6."""

    def branch(name: str, apart: int) -> Array:
        y = grouped(x, w[f"{name}.0.weight"], groups, apart)
        return relu(normalise(y, w, f"{name}.1"))

    near, far = branch("near", 1), branch("far", 2)
    z = dense((near + far).mean((1, 2)), w, "squeeze.0")[:, None, None]
    a, b = np.split(dense(relu(normalise(z, w, "squeeze.1"))[:, 0, 0], w, "select"), 2)
    share = np.exp(a) / (np.exp(a) + np.exp(b))
    y: Array = share[:, None, None] * near + (1 - share)[:, None, None] * far
    return y


def shuffle(x: Array, w: Weights, groups: int) -> Array:
    """Zhang & Yang 2021, equations 1 to 3, a channel at a time."""
    each = len(x) // (2 * groups)
    gated = np.empty_like(x)
    for number, plane in enumerate(x):
        half, d = number // each % 2, number % each
        if half:
            normed = standardise(plane, 1e-5) * w["norm.weight"][d] + w["norm.bias"][d]
            score = w["where_weight_D11"][d] * normed + w["where_bias_D11"][d]
        else:
            score = w["which_weight_D11"][d] * plane.mean() + w["which_bias_D11"][d]
        gated[number] = plane * expit(score)
    middle = len(x) // 2
    return gated[[place // 2 + middle * (place % 2) for place in range(len(x))]]


def double_attention(x: Array, w: Weights) -> Array:
    """Chen et al. 2018, section 3, a position at a time."""
    feature, gather, distribute = (
        pointwise(x, w, name).reshape(-1, x[0].size) for name in ("feature", "gather", "distribute")
    )
    gathered = [sum(softmax(row)[q] * feature[:, q] for q in range(x[0].size)) for row in gather]
    handed_out = np.zeros_like(feature)
    for p in range(x[0].size):
        wanted = softmax(distribute[:, p])
        handed_out[:, p] = sum(share * one for share, one in zip(wanted, gathered, strict=True))
    return x + pointwise(handed_out.reshape(-1, *x.shape[1:]), w, "widen")


def external_attention(x: Array, w: Weights) -> Array:
    """Guo et al. 2021: softmax over positions, then shares of the memory."""
    query = pointwise(x, w, "query").reshape(len(x), -1)
    keys, values = w["key.weight"][:, :, 0, 0], w["value.weight"][:, :, 0, 0].T
    weights = np.stack([softmax(key @ query) for key in keys])
    mixture = np.stack([p / (1e-9 + p.sum()) @ values for p in weights.T], axis=1)
    return relu(x + normalise(pointwise(mixture.reshape(x.shape), w, "project"), w, "norm"))


def polarized(x: Array, w: Weights, *, sequential: bool = False) -> Array:
    """Liu et al. 2021, section 3."""

    def which(x: Array) -> Array:
        weights = softmax(pointwise(x, w, "which.query").reshape(-1))
        picked = pointwise(x, w, "which.value").reshape(-1, x[0].size) @ weights
        normed = standardise(dense(picked, w, "which.widen"), 1e-5)
        score = normed * w["which.norm.weight"] + w["which.norm.bias"]
        gate: Array = expit(score)[:, None, None]
        return gate

    def where(x: Array) -> Array:
        weights = softmax(pointwise(x, w, "where.query").mean((1, 2)))
        gate: Array = expit(np.einsum("d,dhw->hw", weights, pointwise(x, w, "where.value")))
        return gate

    by_channel: Array = which(x) * x
    y: Array = where(by_channel) * by_channel if sequential else by_channel + where(x) * x
    return y


def cot(x: Array, w: Weights, groups: int, share: int) -> Array:
    """Li et al. 2021, section 3.2, a neighbour of a position at a time."""
    heads, side = len(x) // share, w["key.0.weight"].shape[2]
    static = relu(normalise(grouped(x, w["key.0.weight"], groups), w, "key.1"))
    value = normalise(pointwise(x, w, "value.0"), w, "value.1")
    hidden = pointwise(np.concatenate([x, static]), w, "weigh.0")
    scores = pointwise(relu(normalise(hidden, w, "weigh.1")), w, "weigh.3")
    normed = np.concatenate([standardise(one, 1e-5) for one in np.split(scores, heads)])
    normed = w["weigh.4.weight"][:, None, None] * normed + w["weigh.4.bias"][:, None, None]
    dynamic = np.zeros_like(x)
    for c, row, column in np.ndindex(*x.shape):
        for place, (down, right) in enumerate(np.ndindex(side, side)):
            r, s = row + down - side // 2, column + right - side // 2
            if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]:
                weight = normed[c % heads * side * side + place, row, column]
                dynamic[c, row, column] += weight * value[c, r, s]
    dynamic = normalise(dynamic, w, "dynamic.0")
    dynamic = dynamic * expit(dynamic)
    z = dense((static + dynamic).mean((1, 2)), w, "select.0")[:, None, None]
    scores_C2 = dense(relu(normalise(z, w, "select.1"))[:, 0, 0], w, "select.3").reshape(-1, 2)
    shares = softmax(scores_C2, axis=1)
    y: Array = shares[:, :1, None] * dynamic + shares[:, 1:, None] * static
    return y


def non_local(x: Array, w: Weights, pool: int) -> Array:
    """Wang et al. 2018, equations 1, 3 and 6, a position at a time."""
    query = pointwise(x, w, "query")
    key, value = (windows(pointwise(x, w, name), pool, np.maximum) for name in ("key", "value"))
    mixture = np.zeros_like(query)
    for r, c in np.ndindex(*x.shape[1:]):
        mixture[:, r, c] = value @ softmax(query[:, r, c] @ key)
    return x + normalise(pointwise(mixture, w, "widen"), w, "norm")


def self_attention(x: Array, w: Weights, heads: int, pool: int, *, mlp: bool = False) -> Array:
    """Dosovitskiy et al. 2021, equations 2 and 3, a head and a position at a time."""

    def layer_norm(x: Array, name: str) -> Array:
        y = np.empty_like(x)
        for r, c in np.ndindex(*x.shape[1:]):
            y[:, r, c] = standardise(x[:, r, c], 1e-6) * w[f"{name}.weight"] + w[f"{name}.bias"]
        return y

    normed = layer_norm(x, "attend.0")
    query = pointwise(normed, w, "attend.1.query")
    # The mean of a projection is the projection of the mean.
    key, value = (
        windows(pointwise(normed, w, f"attend.1.{name}"), pool, None) for name in ("key", "value")
    )
    mixture = np.zeros_like(x)
    for own in np.split(np.arange(len(x)), heads):
        for r, c in np.ndindex(*x.shape[1:]):
            scores = query[own, r, c] @ key[own] / np.sqrt(len(own))
            mixture[own, r, c] = value[own] @ softmax(scores)
    y = x + pointwise(mixture, w, "attend.1.project")
    if not mlp:
        return y
    hidden = pointwise(layer_norm(y, "mlp.0"), w, "mlp.1")
    return y + pointwise(hidden * (1 + erf(hidden / np.sqrt(2))) / 2, w, "mlp.3")
