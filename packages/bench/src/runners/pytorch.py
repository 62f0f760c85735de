"""PyTorch as a runner: answers the requests of protocol.ts, one JSON object per line.

Where PyTorch offers several ways to do the same thing (optimizers one tensor at a time, foreach or fused; results in
place; on CUDA, graphs and torch.compile), all are tried when a workload starts, and the fastest is measured. With the
option `form`, one of FORMS in ways.py, only those of that form take part. On a processor torch.compile needs a C++
compiler, so there it takes part only with the option `compile` or as a form of its own. `device`: cpu or cuda.
"""

from __future__ import annotations

import gc
import json
import math
import os
import statistics
import sys
import time
import traceback

# Nothing is written beside the sources.
sys.dont_write_bytecode = True

import torch  # noqa: E402

from torch_runner.library import PyTorch, Session, Spec  # noqa: E402
from torch_runner.limits import limits  # noqa: E402
from torch_runner.memory import device_bytes, peak_bytes  # noqa: E402
from torch_runner.ways import NotOffered  # noqa: E402
from torch_runner.workloads import WORKLOADS  # noqa: E402

# Of what the calls of a run take the host.
BURSTS = 31


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
                answer = {"kind": "loaded", "description": self.torch.description(), "threads": torch.get_num_threads()}
                device = self.torch.device_name
                return answer if device is None else {**answer, "device": device}
            case "start":
                return self.start(request["workload"])
            case "run":
                run = self.started().run
                for _ in range(request["times"]):
                    run()
                self.loaded().finish()
                return {"kind": "ran"}
            case "measure":
                elapsed, runs = self.loaded().timed(self.started(), request["milliseconds"] / 1000)
                return {"kind": "measured", "milliseconds": 1000 * elapsed, "runs": runs}
            case "check":
                values = self.started().check()
                if not all(math.isfinite(value) for value in values):
                    raise ArithmeticError(f"the result is not finite: {values}")
                return {"kind": "checked", "values": values}
            case "memory":
                found = {"peakBytes": peak_bytes(), "deviceBytes": device_bytes(self.loaded().device)}
                return {"kind": "memory"} | {name: value for name, value in found.items() if value is not None}
            case "dispatch":
                return {"kind": "dispatched", "microseconds": self.dispatch(request["times"])}
            case "limits":
                return {"kind": "limits", "limits": limits(self.loaded())}
            case kind:
                raise ValueError(f"unknown request {kind}")

    def start(self, workload: Spec) -> Spec:
        self.session = None
        gc.collect()
        kind = workload["kind"]
        try:
            if kind not in WORKLOADS:
                raise NotOffered(f"no workload of kind {kind} here")
            self.session, note = self.loaded().fastest(WORKLOADS[kind](self.loaded(), workload))
        except NotOffered as reason:
            return {"kind": "started", "reason": str(reason)}
        return {"kind": "started"} if note is None else {"kind": "started", "note": note}

    def dispatch(self, times: int) -> float:
        """Microseconds that the calls of a run take the host: the median over bursts of `times`, each after a wait."""
        run, finish = self.started().run, self.loaded().finish
        each = []
        for _ in range(BURSTS):
            finish()
            begin = time.perf_counter()
            for _ in range(times):
                run()
            each.append(1e6 * (time.perf_counter() - begin) / times)
        finish()
        return statistics.median(each)


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
