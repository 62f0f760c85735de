"""PyTorch as a runner: answers the requests of protocol.ts, one JSON object per line.

Where PyTorch offers several ways to do the same thing (optimizers one tensor at a time, foreach or fused; results in
place), all are tried when a workload starts, and the fastest is measured. With the option `form`, one of FORMS, the
optimizers are carried out in that way and no other. torch.compile needs a C++ compiler on the machine, so it takes part
only with the option `compile`.
"""

from __future__ import annotations

import gc
import inspect
import json
import math
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LEARNING_RATE = 1e-3
UPDATE_LEARNING_RATE = 0.05

# Of each way to do a workload, before the fastest is chosen.
TRIAL_WARM_UP = 3
TRIAL_SECONDS = 0.3

Spec = dict[str, Any]


class NotOffered(Exception):
    """PyTorch does not have what the workload asks for; the message is the reason that the report gives."""


@dataclass(frozen=True)
class Session:
    """A workload, set up: `check` gives what the runs so far computed."""

    run: Callable[[], None]
    check: Callable[[], list[float]]


# Ways to set up the same workload, by name. Each starts from the same values.
Variants = dict[str, Callable[[], Session]]


# Starting values, as in values.ts.


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


def samples(result: Tensor) -> list[float]:
    values = result.detach().cpu().reshape(-1)
    return [values[i].item() for i in (len(values) // 7, len(values) // 2, len(values) - 1)]


def samples_and_mean(result: Tensor) -> list[float]:
    return [*samples(result), float(result.detach().cpu().numpy().mean(dtype=np.float64))]


# The runner.


class PyTorch:
    """PyTorch on one device, and the workload that was started last."""

    def __init__(self, threads: int | None, options: Spec) -> None:
        self.device = torch.device(options.get("device", "cpu"))
        self.compile = bool(options.get("compile", False))
        self.form: str | None = options.get("form")
        if self.form is not None and self.form not in FORMS:
            raise ValueError(f"unknown form {self.form}; known are {', '.join(FORMS)}")
        if threads is not None:
            torch.set_num_threads(threads)
        # Workloads are float32 throughout.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.zeros(1, device=self.device)

    def description(self) -> str:
        where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else str(self.device)
        form = "" if self.form is None else f"; optimizers {self.form}"
        return f"PyTorch {torch.__version__}, {where}, Python {platform.python_version()}{form}"

    def finish(self) -> None:
        """Waits until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def place(self, values: Tensor) -> Tensor:
        return values.to(self.device)

    def start(self, spec: Spec) -> tuple[Session, str | None]:
        """The workload in its fastest variant, at its starting values, and a note on the choice where there was one."""
        if spec["kind"] not in WORKLOADS:
            raise NotOffered(f"no workload of kind {spec['kind']} here")
        variants = WORKLOADS[spec["kind"]](self, spec)
        if len(variants) == 1:
            [build] = variants.values()
            return build(), None
        seconds: dict[str, float] = {}
        failures: list[Exception] = []
        for name, build in variants.items():
            try:
                seconds[name] = self.try_out(build())
            except (RuntimeError, ValueError) as failure:
                # Say, not on this device, or no C++ compiler.
                failures.append(failure)
            gc.collect()
        if not seconds:
            raise failures[0]
        fastest = min(seconds, key=lambda name: seconds[name])
        forget_peak()
        times = ", ".join(f"{name} {1000 * duration:.3g} ms" for name, duration in seconds.items())
        return variants[fastest](), f"{fastest} (of {times})"

    def try_out(self, session: Session) -> float:
        """Seconds of its fastest run."""
        for _ in range(TRIAL_WARM_UP):
            session.run()
        self.finish()
        fastest = math.inf
        until = time.perf_counter() + TRIAL_SECONDS
        while (begin := time.perf_counter()) < until or fastest == math.inf:
            session.run()
            self.finish()
            fastest = min(fastest, time.perf_counter() - begin)
        return fastest

    def operation(self, ways: dict[str, Callable[[], Tensor]]) -> Variants:
        """A single operation without gradients, by ways to write it."""
        if self.form is not None:
            raise NotOffered(f"no optimizer here to be {self.form}")
        if self.compile:
            compiled = {f"compiled {name}": torch.compile(way) for name, way in ways.items()}
            ways = {**ways, **compiled}
        return {name: lambda way=way: self.operation_session(way) for name, way in ways.items()}

    def operation_session(self, way: Callable[[], Tensor]) -> Session:
        result = torch.empty(0)

        def run() -> None:
            nonlocal result
            with torch.inference_mode():
                result = way()
            self.finish()

        return Session(run, lambda: samples_and_mean(result))

    def training(
        self,
        starts: Sequence[Tensor],
        loss_of: Callable[[Sequence[Tensor]], Tensor],
        rule: type[torch.optim.Optimizer],
        read_loss: bool = True,
    ) -> Variants:
        """Steps on `loss_of` parameters that begin as copies of `starts`."""

        def build(flags: dict[str, bool], compiled: bool) -> Session:
            parameters = [self.place(start).clone().requires_grad_() for start in starts]
            optimizer = rule(parameters, lr=LEARNING_RATE, **flags)
            objective = torch.compile(loss_of) if compiled else loss_of
            loss = torch.tensor(math.nan)

            def run() -> None:
                nonlocal loss
                optimizer.zero_grad(set_to_none=True)
                loss = objective(parameters)
                loss.backward()
                optimizer.step()
                if read_loss:
                    loss.item()

            return Session(run, lambda: [loss.item()])

        return self.with_and_without_compile(rule, build)

    def with_and_without_compile(
        self, rule: type[torch.optim.Optimizer], build: Callable[[dict[str, bool], bool], Session]
    ) -> Variants:
        ways = implementations(rule)
        if self.form is not None:
            if self.form not in ways:
                raise NotOffered(f"torch.optim.{rule.__name__} has no {self.form} form")
            ways = {self.form: ways[self.form]}
        return {
            f"compiled {name}" if compiled else name: lambda flags=flags, compiled=compiled: build(flags, compiled)
            for compiled in ((False, True) if self.compile else (False,))
            for name, flags in ways.items()
        }


# One tensor at a time, on lists of tensors, in one kernel.
FORMS = ("eager", "foreach", "fused")


def implementations(rule: type[torch.optim.Optimizer]) -> dict[str, dict[str, bool]]:
    """The forms in which PyTorch can carry out an optimizer, each with its flags."""
    offered = inspect.signature(rule).parameters
    ways = {"eager": {"foreach": False} if "foreach" in offered else {}}
    return ways | {name: {name: True} for name in ("foreach", "fused") if name in offered}


# Workloads. Each gives its variants.


def matmul(torch_on: PyTorch, spec: Spec) -> Variants:
    shape = (spec["size"], spec["size"])
    a, b = (torch_on.place(numbers(shape, seed)) for seed in (1, 2))
    return torch_on.operation({"eager": lambda: torch.mm(a, b).cpu()})


def elementwise(torch_on: PyTorch, spec: Spec) -> Variants:
    x, b = (torch_on.place(numbers([spec["size"]], seed)) for seed in (1, 2))
    return torch_on.operation(
        {
            "eager": lambda: torch.tanh(1.5 * x + b) * torch.sigmoid(x) + x**2,
            "eager in place": lambda: torch.add(b, x, alpha=1.5).tanh_().mul_(torch.sigmoid(x)).addcmul_(x, x),
        }
    )


def softmax(torch_on: PyTorch, spec: Spec) -> Variants:
    x = torch_on.place(numbers((spec["rows"], spec["columns"]), 1, 4))
    return torch_on.operation({"eager": lambda: torch.softmax(x, dim=-1)})


def layer_norm(torch_on: PyTorch, spec: Spec) -> Variants:
    columns = spec["columns"]
    x = torch_on.place(numbers((spec["rows"], columns), 1))
    weight = torch_on.place(numbers([columns], 2, 0.5, 1))
    bias = torch_on.place(numbers([columns], 3, 0.5))
    return torch_on.operation({"eager": lambda: F.layer_norm(x, [columns], weight, bias, 1e-5)})


def affine(shape: Sequence[int], seed: int) -> list[Tensor]:
    """Weight and bias as in weights.ts."""
    scale = 1 / math.sqrt(math.prod(shape[1:]))
    return [numbers(shape, seed, scale), numbers(shape[:1], seed + 1, scale)]


def joined(lists: Iterable[list[Tensor]]) -> list[Tensor]:
    return [tensor for tensors in lists for tensor in tensors]


def labels(count: int, classes: int) -> Tensor:
    return 7 * torch.arange(count) % classes


def mlp(torch_on: PyTorch, spec: Spec) -> Variants:
    widths, batch = spec["widths"], spec["batch"]
    starts = joined(affine((widths[i + 1], widths[i]), 11 + 10 * i) for i in range(len(widths) - 1))
    x = torch_on.place(numbers((batch, widths[0]), 99, 0.5, 0.5))
    classes = torch_on.place(labels(batch, widths[-1]))

    def loss_of(parameters: Sequence[Tensor]) -> Tensor:
        values = F.linear(x, parameters[0], parameters[1])
        for weight, bias in zip(parameters[2::2], parameters[3::2], strict=True):
            values = F.linear(F.relu(values), weight, bias)
        return F.cross_entropy(values, classes)

    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[spec["optimizer"]]
    return torch_on.training(starts, loss_of, rule, spec["readLoss"])


def cnn(torch_on: PyTorch, spec: Spec) -> Variants:
    batch = spec["batch"]
    shapes = ((32, 1, 5, 5), (64, 32, 5, 5), (256, 3136), (10, 256))
    starts = joined(affine(shape, 51 + 10 * i) for i, shape in enumerate(shapes))
    x = torch_on.place(numbers((batch, 1, 28, 28), 99, 0.5, 0.5))
    classes = torch_on.place(labels(batch, 10))

    def loss_of(parameters: Sequence[Tensor]) -> Tensor:
        conv1, bias1, conv2, bias2, hidden, hidden_bias, output, output_bias = parameters
        values = F.max_pool2d(F.relu(F.conv2d(x, conv1, bias1, padding=2)), 2)
        values = F.max_pool2d(F.relu(F.conv2d(values, conv2, bias2, padding=2)), 2)
        values = F.relu(F.linear(values.flatten(1), hidden, hidden_bias))
        return F.cross_entropy(F.linear(values, output, output_bias), classes)

    return torch_on.training(starts, loss_of, torch.optim.SGD)


def gpt_starts(vocabulary: int, width: int, layers: int, context: int) -> list[Tensor]:
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
    put((vocabulary, width), 1 / math.sqrt(width))
    return starts


def gpt(torch_on: PyTorch, spec: Spec) -> Variants:
    if spec.get("compileOnly", False):
        raise NotOffered("eager: nothing to compile")
    vocabulary, width, heads = spec["vocabulary"], spec["width"], spec["heads"]
    batch, context = spec["batch"], spec["context"]
    starts = gpt_starts(vocabulary, width, spec["layers"], context)
    stream = torch.from_numpy((states(batch * context + 1, 77) >> 16).astype(np.int64) % vocabulary)
    tokens = torch_on.place(stream[:-1].reshape(batch, context))
    targets = torch_on.place(stream[1:])

    def loss_of(parameters: Sequence[Tensor]) -> Tensor:
        token_weight, position_weight, *blocks = parameters[:-3]
        norm_weight, norm_bias, head = parameters[-3:]
        values = F.embedding(tokens, token_weight) + position_weight
        for at in range(0, len(blocks), 12):
            values = block(values, blocks[at : at + 12])
        values = F.layer_norm(values, [width], norm_weight, norm_bias)
        return F.cross_entropy(F.linear(values, head).reshape(-1, vocabulary), targets)

    def block(values: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        norm1, norm1_bias, project, project_bias, out, out_bias = parameters[:6]
        norm2, norm2_bias, expand, expand_bias, contract, contract_bias = parameters[6:]
        normed = F.layer_norm(values, [width], norm1, norm1_bias)
        split = F.linear(normed, project, project_bias).reshape(batch, context, 3, heads, width // heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        values = values + F.linear(attended.transpose(1, 2).reshape(batch, context, width), out, out_bias)
        normed = F.layer_norm(values, [width], norm2, norm2_bias)
        hidden = F.gelu(F.linear(normed, expand, expand_bias), approximate="tanh")
        return values + F.linear(hidden, contract, contract_bias)

    return torch_on.training(starts, loss_of, torch.optim.AdamW)


# By their names in Thalweg.
RULES: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamW": torch.optim.AdamW,
    "asgd": torch.optim.ASGD,
    "rprop": torch.optim.Rprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adafactor": torch.optim.Adafactor,
}


def optimizer_update(torch_on: PyTorch, spec: Spec) -> Variants:
    name, tensors = spec["optimizer"], spec["tensors"]
    if name == "muon":
        raise NotOffered("torch.optim.Muon takes matrices only")
    if name not in RULES:
        raise NotOffered(f"torch.optim has no {name}")
    rule = RULES[name]
    shape = (tensors, spec["size"] // tensors)

    def build(flags: dict[str, bool], compiled: bool) -> Session:
        parameters = [part.clone() for part in torch_on.place(numbers(shape, 1, 0.5, 1))]
        for parameter, gradient in zip(parameters, torch_on.place(numbers(shape, 2)), strict=True):
            parameter.requires_grad_()
            parameter.grad = gradient.clone()
        optimizer = rule(parameters, lr=UPDATE_LEARNING_RATE, **flags)
        step = torch.compile(optimizer.step) if compiled else optimizer.step

        def run() -> None:
            step()
            torch_on.finish()

        return Session(run, lambda: samples(parameters[0]))

    return torch_on.with_and_without_compile(rule, build)


WORKLOADS: dict[str, Callable[[PyTorch, Spec], Variants]] = {
    "matmul": matmul,
    "elementwise": elementwise,
    "softmax": softmax,
    "layerNorm": layer_norm,
    "mlp": mlp,
    "cnn": cnn,
    "gpt": gpt,
    "optimizer": optimizer_update,
}


# Memory.


def forget_peak() -> None:
    """What the variants that were only tried needed shall not count. Linux only; elsewhere it does count."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


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


# Requests and answers.


class Server:
    def __init__(self) -> None:
        self.torch: PyTorch | None = None
        self.session: Session | None = None

    def loaded(self) -> PyTorch:
        if self.torch is None:
            raise RuntimeError("nothing is loaded")
        return self.torch

    def started(self) -> Session:
        if self.session is None:
            raise RuntimeError("no workload is started")
        return self.session

    def answer(self, request: Spec) -> Spec:
        match request["kind"]:
            case "load":
                self.torch = PyTorch(request.get("threads"), request["options"])
                description = self.torch.description()
                return {"kind": "loaded", "description": description, "threads": torch.get_num_threads()}
            case "start":
                return self.start(request["workload"])
            case "run":
                run = self.started().run
                for _ in range(request["times"]):
                    run()
                self.loaded().finish()
                return {"kind": "ran"}
            case "measure":
                return self.measure(request["milliseconds"])
            case "check":
                values = self.started().check()
                if not all(math.isfinite(value) for value in values):
                    raise ArithmeticError(f"the result is not finite: {values}")
                return {"kind": "checked", "values": values}
            case "memory":
                peak = peak_bytes()
                return {"kind": "memory"} if peak is None else {"kind": "memory", "peakBytes": peak}
            case kind:
                raise ValueError(f"unknown request {kind}")

    def start(self, workload: Spec) -> Spec:
        self.session = None
        gc.collect()
        try:
            self.session, note = self.loaded().start(workload)
        except NotOffered as reason:
            return {"kind": "started", "reason": str(reason)}
        return {"kind": "started"} if note is None else {"kind": "started", "note": note}

    def measure(self, milliseconds: float) -> Spec:
        run, finish = self.started().run, self.loaded().finish
        runs = 0
        begin = time.perf_counter()
        while True:
            run()
            runs += 1
            if 1000 * (time.perf_counter() - begin) >= milliseconds:
                break
        finish()
        return {"kind": "measured", "milliseconds": 1000 * (time.perf_counter() - begin), "runs": runs}


def main() -> None:
    # Whatever libraries print goes to standard error: standard output is for answers only.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server()
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            answer = server.answer(json.loads(line))
        except Exception as error:  # The harness decides what a failure means.
            traceback.print_exception(error)
            answer = {"kind": "failed", "message": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
