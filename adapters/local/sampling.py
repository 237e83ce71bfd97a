"""Draws tokens so that the same seed and prompt give the same answer, whatever is answered beside it.

torch draws for a whole batch from one generator: what a question gets would depend on its neighbours, and a resumed run
would draw other answers. Here every question has a generator of its own, seeded by the run's seed and its prompt. To
the logarithms of the probabilities it adds Gumbel noise, and the likeliest token of the sum is taken: the Gumbel-max
trick (E. J. Gumbel, Statistical Theory of Extreme Values, 1954), which draws exactly from the distribution.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from .settings import Generation

__all__ = ["GumbelNoise", "drawing", "seed_of"]


def seed_of(seed: int, *asked: bytes) -> int:
    """Returns the seed of one question: 63 bits of SHA-256 over the run's seed and what is said and shown."""
    found = hashlib.sha256(str(seed).encode())
    for piece in asked:
        found.update(b"\0" + piece)
    return int.from_bytes(found.digest()[:8], "big") >> 1


class GumbelNoise(LogitsProcessor):  # type: ignore[misc]  # torch and transformers are not type-checked
    """Adds noise to scores (questions x words), a generator for each row.

    Args:
        seeds: one for each question of the batch.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        # On the processor: generators of different devices draw differently.
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Returns the scores with noise; ruled-out words (minus infinity) stay ruled out."""
        del input_ids
        rows = [torch.rand(scores.shape[-1], generator=each, dtype=torch.float64) for each in self._generators]
        uniform = torch.stack(rows).clamp(min=1e-300)
        noise = -torch.log((-torch.log(uniform)).clamp(min=1e-300))
        return scores.float() + noise.to(scores.device, torch.float32)


def drawing(generation: Generation, seeds: Sequence[int]) -> list[Any]:
    """Returns the logits processors of a batch: none at temperature 0, where the likeliest token is taken."""
    if generation.temperature == 0:
        return []
    steps: list[Any] = [TemperatureLogitsWarper(float(generation.temperature))]
    if generation.top_k is not None:
        steps.append(TopKLogitsWarper(generation.top_k))
    if generation.top_p is not None and generation.top_p < 1:
        steps.append(TopPLogitsWarper(generation.top_p))
    return [*steps, GumbelNoise(seeds)]
