import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parseOptions, shownCommand } from "./options.ts";

const parse = (...argv: string[]) => parseOptions(argv, "/bundle");

describe("options", () => {
  it("are all of what is to be shown, on CUDA, beside PyTorch", () => {
    const { workloads, ...rest } = parse("--python", "/a/python");
    expect(rest).toEqual({
      ...{ backend: "cuda", python: "/a/python", torchDevice: "cuda", out: resolve("/bundle/report") },
      parts: ["conformance", "golden", "sanitizer", "bench", "document"],
      peers: ["pytorch-eager", "pytorch-fused", "pytorch-cudagraph", "pytorch-compile"],
    });
    expect(workloads.map(({ name }) => name)).toEqual([
      ...["mlp-adam", "cnn-sgd", "gpt-adamw", "optimizer-adamW-1m", "optimizer-adamw-many", "dispatch"],
      ...["matmul-8192-bf16", "matmul-8192", "elementwise-64m", "softmax-rows-64m", "layernorm-rows-64m", "gpt-124m"],
      ...["optimizer-adamW-100m", "optimizer-adamW-100m-400", "optimizer-adamW-1b", "optimizer-adamW-1b-400"],
    ]);
  });

  it("can be little, on a processor, by itself", () => {
    const { workloads, ...rest } = parse("--backend", "wasm", "--quick", "--parts", "document,bench", "--out", "/r");
    expect(rest).toMatchObject({ backend: "wasm", peers: [], torchDevice: "cpu", cases: "kernels/*", window: 50 });
    expect(rest).toMatchObject({ parts: ["bench", "document"], out: resolve("/r") });
    expect(workloads.length).toBe(4);
    expect(parse("--backend", "wasm", "--python", "p").peers.length).toBe(4);
    expect(parse("--peers", "none").peers).toEqual([]);
  });

  it("are told to readers without paths of the machine", () => {
    const argv = ["--python", "/a/b/python", "--only", "matmul-*", "--out", "/tmp/x", "--quick"];
    expect(shownCommand(argv)).toBe("./run.sh --python PATH --only 'matmul-*' --quick");
  });

  it.each<[string[], string]>([
    [["--backend", "metal"], "unknown backend metal; known are cuda, wasm, cpu-js"],
    [["--parts", "bench,report"], "unknown part report; known are conformance, golden, sanitizer, bench, document"],
    [["--peers", "torch"], "unknown peer torch; known are tfjs-cpu, "],
    [["--only", "nothing"], "no workload matches nothing"],
    [["--fast"], "Unknown option '--fast'"],
  ])("%j make no sense", (argv, message) => {
    expect(() => parse(...argv)).toThrow(message);
  });
});
