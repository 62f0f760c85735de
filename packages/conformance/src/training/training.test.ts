import { readFileSync } from "node:fs";
import { type Backend, type BufferHandle, type DType, type Executable, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runCases } from "../run.ts";
import { trainingCases } from "./cases.ts";
import { curveCases } from "./curveCases.ts";
import { parseTrainingCurves } from "./curves.ts";
import { replayCases } from "./replayCases.ts";

const text = readFileSync(new URL("../../golden/training/curves.json", import.meta.url), "utf8");
const curves = parseTrainingCurves(text);

describe("the cases of training", () => {
  it.each([
    ["every kind of kernel", () => referenceBackend()],
    ["loop kernels alone", () => referenceBackend({ kernels: ["loop"] })],
  ])(
    "pass on the interpreter with %s",
    async (_name, create) => {
      const report = await runCases(create, trainingCases(curves));
      expect(report.failures).toEqual([]);
      expect(report.passed).toBe(replayCases.length + 2 * curves.curves.length);
    },
    120_000,
  );

  it("pass without float64, and where nothing can be read without waiting", async () => {
    const create = (): Backend => {
      const { readSync: _, ...inner } = referenceBackend();
      const dtypes = new Set<DType>(["float32", "int32", "bool", "uint32"]);
      return { ...inner, capabilities: { ...inner.capabilities, blocking: false, dtypes } };
    };
    const report = await runCases(create, trainingCases(curves), { only: "mlp" });
    expect(report).toMatchObject({ passed: 1 + 7, notApplicable: 7, failures: [] });
  });
});

type Run = Backend["run"];

/** An interpreter whose `run` is something else. */
const running = (change: (run: Run, inner: Backend) => Run) => (): Backend => {
  const inner = referenceBackend({ rounding: true });
  return { ...inner, run: change(inner.run, inner) };
};

/** Non-temporary buffers of one kind, by their place among the handles. */
const places = ({ program }: Executable, kind: "input" | "output" | "parameter"): number[] =>
  program.buffers
    .filter((buffer) => buffer.kind !== "temporary")
    .flatMap((buffer, i) => (buffer.kind === kind ? [i] : []));

const faults: Readonly<Record<string, () => Backend>> = {
  "keeps the uniforms of a program's first run": running((run) => {
    const first = new Map<Executable, readonly number[]>();
    return (executable, handles, uniforms) => {
      if (!first.has(executable)) first.set(executable, [...uniforms]);
      run(executable, handles, first.get(executable) as readonly number[]);
    };
  }),
  "keeps the inputs of a program's first run": running((run, inner) => {
    const first = new Map<Executable, BufferHandle[]>();
    return (executable, handles, uniforms) => {
      const known = first.get(executable) ?? [...handles];
      first.set(executable, known);
      const inputs = new Set(places(executable, "input"));
      const stale = handles.map((handle, i) => {
        if (!inputs.has(i)) return handle;
        const specs = executable.program.buffers.filter((buffer) => buffer.kind !== "temporary");
        const old = known[i] as BufferHandle;
        try {
          inner.readSync?.(old);
        } catch {
          return handle;
        }
        return specs[i]?.dtype === "uint32" ? handle : old;
      });
      run(executable, stale, uniforms);
    };
  }),
  "swaps two buffers": running((run) => (executable, handles, uniforms) => {
    const specs = executable.program.buffers.filter((buffer) => buffer.kind !== "temporary");
    const swapped = [...handles];
    for (let i = 0; i < specs.length; i++) {
      const j = specs.findIndex(
        ({ size, dtype, kind }, at) =>
          at > i && size > 1 && size === specs[i]?.size && dtype === specs[i]?.dtype && kind === specs[i]?.kind,
      );
      if (j < 0) continue;
      [swapped[i], swapped[j]] = [handles[j] as BufferHandle, handles[i] as BufferHandle];
      break;
    }
    run(executable, swapped, uniforms);
  }),
  "loses the update of one parameter": running((run, inner) => (executable, handles, uniforms) => {
    const last = places(executable, "parameter").at(-1);
    const handle = last === undefined ? undefined : handles[last];
    const before = handle && inner.readSync?.(handle);
    run(executable, handles, uniforms);
    if (handle && before) inner.write(handle, before);
  }),
  "runs every program twice": running((run) => (...args) => {
    run(...args);
    run(...args);
  }),
  "loses a thousandth of what it computes": running((run, inner) => (executable, handles, uniforms) => {
    run(executable, handles, uniforms);
    for (const i of places(executable, "parameter")) {
      const values = inner.readSync?.(handles[i] as BufferHandle);
      if (values instanceof Float32Array || values instanceof Float64Array) {
        inner.write(handles[i] as BufferHandle, values.map((value) => value * 0.999) as typeof values);
      }
    }
  }),
  "gives every reader what the first one read": () => {
    const inner = referenceBackend({ rounding: true });
    const first = new Map<BufferHandle, Awaited<ReturnType<Backend["read"]>>>();
    return {
      ...inner,
      async read(handle) {
        const values = first.get(handle) ?? (await inner.read(handle));
        first.set(handle, values);
        return values.slice();
      },
    };
  },
};

describe("a backend that", () => {
  it.each(Object.keys(faults))("%s is found out", async (name) => {
    const create = faults[name] as () => Backend;
    const replay = await runCases(create, replayCases, { only: "training/*with *", bail: true });
    const curve = await runCases(create, curveCases(curves), { only: "mlp, adam", bail: true });
    expect(replay.failed + curve.failed).toBeGreaterThan(0);
    // What is the same fault in all of a backend's own runs is seen by comparison with others.
    if (name.includes("uniforms")) expect([replay.failed, curve.failed]).toEqual([1, 1]);
  });
});

describe("the file of curves", () => {
  /** What a test changes of it. */
  interface Content {
    schema: string;
    batches: number;
    curves: { model: string; losses: unknown[] }[];
  }
  const changed = (change: (content: Content, first: Content["curves"][number]) => void): string => {
    const content = JSON.parse(text) as Content;
    change(content, content.curves[0] as Content["curves"][number]);
    return JSON.stringify(content);
  };
  it.each<[string, Parameters<typeof changed>[0], RegExp]>([
    ["another schema", (c) => Object.assign(c, { schema: "thalweg/golden-op/1" }), /schema: expected "thalweg\/train/],
    ["no curves", (c) => Object.assign(c, { curves: [] }), /curves: expected a list/],
    ["no batches", (c) => Object.assign(c, { batches: 0 }), /batches: expected at least 1/],
    ["an unknown model", (_, first) => Object.assign(first, { model: "resnet" }), /model: expected one of mlp/],
    ["a loss too few", (_, first) => first.losses.pop(), /losses: expected as many/],
    ["a loss that is a text", (_, first) => Object.assign(first.losses, ["1"]), /losses\[0\]: expected a number/],
  ])("with %s is refused", (_what, change, message) => {
    expect(() => parseTrainingCurves(changed(change))).toThrow(message);
  });
});
