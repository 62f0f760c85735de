"""The numbers every runner starts from and the ones it is checked by, as in values.ts and weights.ts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LEARNING_RATE = 1e-3
UPDATE_LEARNING_RATE = 0.05


def states(count: int, seed: int) -> np.ndarray:
    """States of the generator of values.ts. The known ones give as many again by one jump ahead."""
    all_states = np.empty(count, np.uint32)
    # After k steps, a state is multiplier · state + increment (modulo 2^32); here for k = known.
    multiplier, increment = 1664525, 1013904223
    if count > 0:
        all_states[0] = (seed * multiplier + increment) % 2**32
    known = 1
    while known < count:
        more = all_states[known : 2 * known]
        np.multiply(all_states[: len(more)], np.uint32(multiplier), out=more)
        more += np.uint32(increment)
        multiplier, increment = multiplier * multiplier % 2**32, (multiplier + 1) * increment % 2**32
        known *= 2
    return all_states


def numbers(shape: Sequence[int], seed: int, scale: float = 1.0, offset: float = 0.0) -> Tensor:
    """offset + scale · (s / 2^31 - 1), computed in float64 and rounded once, as in JavaScript."""
    all_states = states(math.prod(shape), seed)
    values = np.empty(len(all_states), np.float32)
    # In blocks that stay in the cache.
    block = 1 << 16
    for start in range(0, len(values), block):
        part = all_states[start : start + block] / 2**31
        part -= 1
        part *= scale
        part += offset
        values[start : start + block] = part
    return torch.from_numpy(values).reshape(*shape)


def labels(count: int, classes: int) -> Tensor:
    return 7 * torch.arange(count) % classes


def token_stream(count: int, vocabulary: int) -> Tensor:
    """One more token than inputs: all but the last are inputs, all but the first targets."""
    return torch.from_numpy((states(count + 1, 77) >> 16).astype(np.int64) % vocabulary)


def samples(result: Tensor) -> list[float]:
    """Three elements, of which no more than that leaves the device."""
    values = result.detach().reshape(-1)
    return [values[i].item() for i in (len(values) // 7, len(values) // 2, len(values) - 1)]


def samples_and_mean(result: Tensor) -> list[float]:
    return [*samples(result), float(result.detach().float().cpu().numpy().mean(dtype=np.float64))]


def affine(shape: Sequence[int], seed: int) -> list[Tensor]:
    """Weight and bias."""
    scale = 1 / math.sqrt(math.prod(shape[1:]))
    return [numbers(shape, seed, scale), numbers(shape[:1], seed + 1, scale)]


def gpt_starts(vocabulary: int, width: int, layers: int, context: int, tied: bool) -> list[Tensor]:
    """The list of weights.ts: each parameter has the seed 101 + its place."""
    starts: list[Tensor] = []

    def put(shape: Sequence[int], scale: float, offset: float = 0) -> None:
        starts.append(numbers(shape, 101 + len(starts), scale, offset))

    def norm() -> None:
        put([width], 0.1, 1)
        put([width], 0.1)

    def dense(outputs: int, inputs: int) -> None:
        put((outputs, inputs), 1 / math.sqrt(inputs))
        put([outputs], 1 / math.sqrt(inputs))

    put((vocabulary, width), 0.1)
    put((context, width), 0.1)
    for _ in range(layers):
        norm()
        dense(3 * width, width)
        dense(width, width)
        norm()
        dense(4 * width, width)
        dense(width, 4 * width)
    norm()
    if not tied:
        put((vocabulary, width), 1 / math.sqrt(width))
    return starts
