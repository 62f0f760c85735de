"""What the device does at most, as PyTorch finds it: how fast it copies, and its largest products."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from .library import PyTorch

# For each figure.
SECONDS = 0.4


def limits(torch_on: PyTorch) -> dict[str, object]:
    """`DevicePeaks` of protocol.ts."""
    # The host's are smaller by so much, which is enough to see that this works.
    copied = 2**28 if torch_on.on_cuda else 2**22
    sizes = (4096, 8192, 12_288) if torch_on.on_cuda else (256, 512)
    gflops = {
        "float32": product_rate(torch_on, torch.float32, sizes),
        "bfloat16": product_rate(torch_on, torch.bfloat16, sizes),
    }
    if torch_on.on_cuda:
        with tf32():
            gflops["tf32"] = product_rate(torch_on, torch.float32, sizes)
    return {"copyGbps": copy_rate(torch_on, copied), "gflops": gflops}


@contextmanager
def tf32() -> Iterator[None]:
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def quickest(torch_on: PyTorch, run: Callable[[], object]) -> float:
    """Seconds of one run at the quickest: in batches of some tens of milliseconds, each ended by a wait."""

    def batch(runs: int) -> float:
        begin = time.perf_counter()
        for _ in range(runs):
            run()
        torch_on.finish()
        return (time.perf_counter() - begin) / runs

    # Brings the clocks up.
    batch(1)
    runs = max(1, min(64, int(SECONDS / 8 / batch(2))))
    until = time.perf_counter() + SECONDS
    best = batch(runs)
    while time.perf_counter() < until:
        best = min(best, batch(runs))
    return best


def copy_rate(torch_on: PyTorch, count: int) -> float:
    """GB/s, bytes read plus bytes written."""
    source = torch.arange(count, device=torch_on.device, dtype=torch.float32)
    target = torch.empty_like(source)
    seconds = quickest(torch_on, lambda: target.copy_(source))
    return 2 * 4 * count / (1e9 * seconds)


def product_rate(torch_on: PyTorch, dtype: torch.dtype, sizes: tuple[int, ...]) -> float:
    """GFLOP/s of the fastest size; a multiply-add counts as two operations."""
    rates = []
    for size in sizes:
        a, b = (torch.randn(size, size, device=torch_on.device).to(dtype) for _ in range(2))
        out = torch.empty(size, size, device=torch_on.device, dtype=dtype)
        rates.append(2 * size**3 / (1e9 * quickest(torch_on, lambda: torch.mm(a, b, out=out))))
    return max(rates)
