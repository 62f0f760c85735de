"""The ways in which PyTorch can carry out a step: how its optimizer runs, compiled or not, as a CUDA graph or not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Optimizers one tensor at a time, on lists of tensors, in one kernel; whole steps as a CUDA graph; by torch.compile.
FORMS = ("eager", "foreach", "fused", "cudagraph", "compile")

# With graphs of their own, which cannot be part of another.
GRAPHED_MODES = ("reduce-overhead", "max-autotune")
COMPILE_MODES = ("default", "max-autotune-no-cudagraphs", *GRAPHED_MODES)

# Runs on a side stream before a capture, as PyTorch's notes on CUDA graphs have it.
CAPTURE_WARM_UP = 3

Rule = type[torch.optim.Optimizer]

# Those whose state begins as zeros, to which it is set back after a capture's warm-up.
CAPTURED_RULES: tuple[Rule, ...] = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


class NotOffered(Exception):
    """PyTorch does not have what the workload asks for; the message is the reason that the report gives."""


@dataclass(frozen=True)
class Way:
    """One way to carry out a step; `flags` are the optimizer's."""

    flags: dict[str, bool]
    compiled: bool = False
    graphed: bool = False


@dataclass(frozen=True)
class Choice:
    """Which ways are wanted."""

    on_cuda: bool
    form: str | None
    # Compiled ways take part without being asked for: always on CUDA, where a compiler comes with PyTorch.
    compile: bool
    compile_mode: str

    @property
    def compiles(self) -> bool:
        return self.compile or self.form == "compile" or (self.on_cuda and self.form is None)

    @property
    def graphs(self) -> bool:
        return self.on_cuda and self.form in (None, "cudagraph", "compile")

    @property
    def graphs_compiled(self) -> bool:
        return self.graphs and self.compile_mode not in GRAPHED_MODES

    def compiled(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return torch.compile(function, mode=None if self.compile_mode == "default" else self.compile_mode)

    def of_rule(self, rule: Rule, compiled_update: bool) -> dict[str, Way]:
        """The ways to take a step with an optimizer; `compiled_update`: compiling means the optimizer and not the loss."""
        plain = implementations(rule)
        if self.form in ("eager", "foreach", "fused"):
            if self.form not in plain:
                raise NotOffered(f"torch.optim.{rule.__name__} has no {self.form} form")
            return {self.form: Way(plain[self.form])}
        if self.form == "cudagraph" and not self.on_cuda:
            raise NotOffered("CUDA graphs need a CUDA device")
        best = next(name for name in ("fused", "foreach", "eager") if name in plain)
        # torch.compile fuses what an optimizer does on lists of tensors; the fused kernel it would leave as it is.
        to_compile = "foreach" if compiled_update and "foreach" in plain else best
        captured = self.graphs and rule in CAPTURED_RULES
        ways: dict[str, Way] = {}
        if self.form is None:
            ways |= {name: Way(flags) for name, flags in plain.items()}
        if captured and self.form != "compile":
            ways[f"graph of {best}"] = Way(capturable(rule, plain[best]), graphed=True)
        if self.compiles:
            # A step count on the host would keep part of a compiled update there.
            on_device = compiled_update and self.on_cuda
            flags = capturable(rule, plain[to_compile]) if on_device else plain[to_compile]
            ways[f"compiled {to_compile}"] = Way(flags, compiled=True)
            if captured and self.graphs_compiled:
                ways[f"graph of compiled {to_compile}"] = Way(capturable(rule, flags), compiled=True, graphed=True)
        if not ways:
            raise NotOffered(f"torch.optim.{rule.__name__} is not captured here")
        return ways

    def of_operation(self) -> dict[str, Way]:
        """The ways to carry out a single operation, by what goes before its own name."""
        if self.form in ("foreach", "fused"):
            raise NotOffered(f"no optimizer here to be {self.form}")
        if self.form == "cudagraph" and not self.on_cuda:
            raise NotOffered("CUDA graphs need a CUDA device")
        ways: dict[str, Way] = {}
        if self.form in (None, "eager"):
            ways[""] = Way({})
        if self.graphs and self.form != "compile":
            ways["graph of "] = Way({}, graphed=True)
        if self.compiles:
            ways["compiled "] = Way({}, compiled=True)
            if self.graphs_compiled:
                ways["graph of compiled "] = Way({}, compiled=True, graphed=True)
        return ways


def implementations(rule: Rule) -> dict[str, dict[str, bool]]:
    """The forms in which PyTorch can carry out an optimizer, each with its flags."""
    offered = inspect.signature(rule).parameters
    ways = {"eager": {"foreach": False} if "foreach" in offered else {}}
    return ways | {name: {name: True} for name in ("foreach", "fused") if name in offered}


def capturable(rule: Rule, flags: dict[str, bool]) -> dict[str, bool]:
    """With its step count on the device, where the rule has one."""
    return {**flags, "capturable": True} if "capturable" in inspect.signature(rule).parameters else flags


def set_back(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], starts: Sequence[Tensor]) -> None:
    """Parameters and state as they began, in the memory that they have: a graph knows no other."""
    with torch.no_grad():
        for parameter, start in zip(parameters, starts, strict=True):
            parameter.copy_(start)
        for state in optimizer.state.values():
            for value in state.values():
                if isinstance(value, Tensor):
                    value.zero_()


def captured(
    step: Callable[[], Tensor], device: torch.device, forget: Callable[[], None] = lambda: None
) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    """
    `step` as one graph, and its result, which every replay writes anew. The steps before the capture, on the same side
    stream, did run; the capture itself does not. `forget` drops what the graph shall allocate in its own memory.
    """
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(CAPTURE_WARM_UP):
            step()
    torch.cuda.current_stream(device).wait_stream(side)
    torch.cuda.synchronize(device)
    forget()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        result = step()
    torch.cuda.synchronize(device)
    return graph, result
