"""PyTorch on one device: sets workloads up in the ways it has, and chooses the fastest."""

from __future__ import annotations

import gc
import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .memory import forget_peak
from .values import LEARNING_RATE, UPDATE_LEARNING_RATE, samples, samples_and_mean
from .ways import COMPILE_MODES, FORMS, Choice, Rule, Way, captured, set_back

# Of each way to do a workload, before the fastest is chosen.
TRIAL_WARM_UP = 3
TRIAL_SECONDS = 0.3

Spec = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """A workload, set up: `check` gives what the runs so far computed. On CUDA a run may return before it is done."""

    run: Callable[[], None]
    check: Callable[[], list[float]]


# Ways to set up the same workload, by name. Each starts from the same values.
Variants = dict[str, Callable[[], Session]]


class PyTorch:
    """PyTorch on one device."""

    def __init__(self, threads: int | None, options: Spec) -> None:
        self.device = torch.device(options.get("device", "cpu"))
        self.on_cuda = self.device.type == "cuda"
        form: str | None = options.get("form")
        mode: str = options.get("compileMode", "default")
        for what, value, known in (("form", form, FORMS), ("mode of torch.compile", mode, COMPILE_MODES)):
            if value is not None and value not in known:
                raise ValueError(f"unknown {what} {value}; known are {', '.join(known)}")
        self.choice = Choice(self.on_cuda, form, bool(options.get("compile", False)), mode)
        if threads is not None:
            torch.set_num_threads(threads)
        if self.on_cuda and not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} sees no CUDA device here")
        # float32 is computed in float32. These names and not the newer `fp32_precision`: torch.compile reads them, and
        # PyTorch refuses programs that use both.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.zeros(1, device=self.device)

    @property
    def device_name(self) -> str | None:
        """Of a device with memory of its own."""
        return torch.cuda.get_device_name(self.device) if self.on_cuda else None

    def description(self) -> str:
        where = str(self.device)
        if self.on_cuda:
            where = f"{self.device_name}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        details = ""
        if self.choice.form == "compile":
            details = f"; torch.compile, mode {self.choice.compile_mode}"
        elif self.choice.form == "cudagraph":
            details = "; CUDA graphs"
        elif self.choice.form is not None:
            details = f"; optimizers {self.choice.form}"
        return f"PyTorch {torch.__version__}, {where}, Python {platform.python_version()}{details}"

    def finish(self) -> None:
        """Waits until the device has done what it was given."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)

    def place(self, values: Tensor) -> Tensor:
        return values.to(self.device)

    def own(self, values: Tensor) -> Tensor:
        """A copy on the device, made in one go: a billion parameters leave no room for two."""
        return values.to(self.device, copy=True)

    def fastest(self, variants: Variants) -> tuple[Session, str | None]:
        """The workload in its fastest variant, at its starting values, and a note on the choice where there was one."""
        if len(variants) == 1:
            [build] = variants.values()
            return build(), None
        seconds: dict[str, float] = {}
        failures: dict[str, Exception] = {}
        for name, build in variants.items():
            try:
                seconds[name] = self.try_out(build())
            except (RuntimeError, ValueError) as failure:
                # Say, not on this device, or no C++ compiler.
                failures[name] = failure
            # What was compiled keeps the parameters it was compiled for.
            if self.choice.compiles:
                torch._dynamo.reset()
            gc.collect()
            forget_peak()
        if not seconds:
            raise next(iter(failures.values()))
        chosen = min(seconds, key=lambda name: seconds[name])
        tried = [f"{name} {1000 * duration:.3g} ms" for name, duration in seconds.items()]
        failed = [f"{name}: {first_line(failure)}" for name, failure in failures.items()]
        return variants[chosen](), f"{chosen} (of {'; '.join([', '.join(tried), *failed])})"

    def try_out(self, session: Session) -> float:
        """Seconds of a run: of the fastest, or of one in a batch where runs are not waited for one by one."""
        for _ in range(TRIAL_WARM_UP):
            session.run()
        self.finish()
        if self.on_cuda:
            elapsed, runs = self.timed(session, TRIAL_SECONDS)
            return elapsed / runs
        fastest = math.inf
        until = time.perf_counter() + TRIAL_SECONDS
        while (begin := time.perf_counter()) < until or fastest == math.inf:
            session.run()
            fastest = min(fastest, time.perf_counter() - begin)
        return fastest

    def timed(self, session: Session, least: float) -> tuple[float, int]:
        """
        Seconds, at least so many, and the runs in them, which come in batches with a wait at the end of each. A batch is no
        longer than the time left, by the pace so far, nor than twice what was done: a host runs ahead of its device.
        """
        begin = time.perf_counter()
        runs, elapsed = 0, 0.0
        while elapsed < least:
            left = math.ceil((least - elapsed) * runs / elapsed) if runs > 0 else 1
            batch = max(1, min(left, 2 * runs))
            for _ in range(batch):
                session.run()
            self.finish()
            runs += batch
            elapsed = time.perf_counter() - begin
        return elapsed, runs

    def operation(self, named: dict[str, Callable[[], Tensor]], read_back: bool = False) -> Variants:
        """A single operation without gradients, by ways to write it; `read_back`: a run ends with its result on the host."""
        return {
            f"{prefix}{name}": lambda way=way, compute=compute: self.operation_session(way, compute, read_back)
            for prefix, way in self.choice.of_operation().items()
            for name, compute in named.items()
        }

    def operation_session(self, way: Way, compute: Callable[[], Tensor], read_back: bool) -> Session:
        if way.compiled:
            compute = self.choice.compiled(compute)
        with torch.no_grad():
            graph, result = captured(compute, self.device) if way.graphed else (None, torch.empty(0))

        def run() -> None:
            nonlocal result
            if graph:
                graph.replay()
            else:
                with torch.no_grad():
                    result = compute()
            if read_back:
                result.cpu()

        return Session(run, lambda: samples_and_mean(result))

    def training(
        self,
        starts: Sequence[Tensor],
        loss_of: Callable[[Sequence[Tensor]], Tensor],
        rule: Rule,
        read_loss: bool = True,
    ) -> Variants:
        """Steps on `loss_of` parameters that begin as copies of `starts`."""

        def build(way: Way) -> Session:
            parameters = [self.own(start).requires_grad_() for start in starts]
            optimizer = rule(parameters, lr=LEARNING_RATE, **way.flags)
            objective = self.choice.compiled(loss_of) if way.compiled else loss_of

            def step() -> Tensor:
                optimizer.zero_grad(set_to_none=True)
                value = objective(parameters)
                value.backward()
                optimizer.step()
                return value.detach()

            loss = torch.tensor(math.nan)
            graph = None
            if way.graphed:
                graph, loss = captured(step, self.device, lambda: optimizer.zero_grad(set_to_none=True))
                set_back(optimizer, parameters, starts)

            def run() -> None:
                nonlocal loss
                if graph:
                    graph.replay()
                else:
                    loss = step()
                if read_loss:
                    loss.item()

            return Session(run, lambda: [loss.item()])

        ways = self.choice.of_rule(rule, compiled_update=False)
        return {name: lambda way=way: build(way) for name, way in ways.items()}

    def update(self, starts: Tensor, gradients: Tensor, rule: Rule) -> Variants:
        """Updates of the rows of `starts`, each a parameter of its own, with gradients that stay."""

        def build(way: Way) -> Session:
            parameters = [self.own(row).requires_grad_() for row in starts]
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = self.own(gradient)
            optimizer = rule(parameters, lr=UPDATE_LEARNING_RATE, **way.flags)
            update = self.choice.compiled(optimizer.step) if way.compiled else optimizer.step
            run: Callable[[], Any] = update
            if way.graphed:

                def step() -> Tensor:
                    update()
                    return parameters[0]

                graph, _ = captured(step, self.device)
                set_back(optimizer, parameters, list(starts))
                run = graph.replay

            return Session(run, lambda: samples(parameters[0]))

        ways = self.choice.of_rule(rule, compiled_update=True)
        return {name: lambda way=way: build(way) for name, way in ways.items()}


def first_line(failure: Exception) -> str:
    """Enough of what PyTorch says to know why; its messages can fill pages."""
    return f"{type(failure).__name__}: {failure}".splitlines()[0][:200]
