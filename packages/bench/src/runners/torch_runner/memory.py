"""How much memory the process has had."""

from __future__ import annotations

import sys

import torch


def forget_peak() -> None:
    """What the variants that were only tried needed shall not count. Of the host's memory, Linux only; elsewhere it does count."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def device_bytes(device: torch.device) -> int | None:
    """The most of the device's memory that tensors have held."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def peak_bytes() -> int | None:
    """Of this process's host memory."""
    try:
        # Unlike ru_maxrss, not that of the parent before it called exec.
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
