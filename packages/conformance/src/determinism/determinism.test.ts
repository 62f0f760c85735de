import { type Backend, type BufferHandle, type Executable, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import type { BackendOptions } from "../case.ts";
import { runCases } from "../run.ts";
import { determinismCases } from "./cases.ts";
import { computations } from "./computations.ts";

describe("the cases of determinism", () => {
  it("pass on the interpreter, which has one thread", async () => {
    const report = await runCases(() => referenceBackend(), determinismCases);
    expect(report.failures).toEqual([]);
    expect(report.passed).toBe(2 * computations.length);
    expect(report.notApplicable).toBe(computations.length);
  }, 120_000);

  it("pass on the interpreter with loop kernels alone", async () => {
    const report = await runCases(() => referenceBackend({ kernels: ["loop"] }), determinismCases, {
      only: "steps of",
    });
    expect(report).toMatchObject({ failures: [], passed: 6, notApplicable: 3 });
  }, 120_000);
});

/** An interpreter that adds `error()` to one float element of what each run writes. */
function unsteady(threads: number, error: () => number): Backend {
  const inner = referenceBackend();
  return {
    ...inner,
    capabilities: { ...inner.capabilities, threads },
    run(executable: Executable, handles: readonly BufferHandle[], uniforms: readonly number[]) {
      inner.run(executable, handles, uniforms);
      const specs = executable.program.buffers.filter(({ kind }) => kind !== "temporary");
      for (const [i, { kind }] of specs.entries()) {
        const values = kind === "input" ? undefined : inner.readSync?.(handles[i] as BufferHandle);
        if (!(values instanceof Float32Array) || values.length === 0) continue;
        const at = Math.floor(values.length / 2);
        values[at] = (values[at] as number) * (1 + error());
        inner.write(handles[i] as BufferHandle, values);
      }
    },
  };
}

describe("a backend that", () => {
  const run = (create: (options?: BackendOptions) => Backend) => runCases(create, determinismCases, { only: "7×13×5" });
  const outcome = async (create: (options?: BackendOptions) => Backend) => {
    const { failures, notApplicable } = await run(create);
    return [...failures.map((failure) => failure.case.split(": ")[1]), `${notApplicable} not applicable`];
  };

  it("follows the number of threads is asked for it", async () => {
    expect(await run(({ threads = 8 } = {}) => unsteady(threads, () => 0))).toMatchObject({ passed: 3, failed: 0 });
  });
  it("has noise is found out", async () => {
    const all = ["a second run", "another instance", "any number of threads", "0 not applicable"];
    let noise = 0;
    expect(await outcome(({ threads = 8 } = {}) => unsteady(threads, () => 1e-6 * ++noise))).toEqual(all);
  });
  it("depends on what ran before is found out", async () => {
    let runs = 0;
    expect(await outcome(() => unsteady(1, () => 1e-6 * (runs++ % 7)))).toContain("a second run");
  });
  it("differs from instance to instance is found out", async () => {
    let instances = 0;
    const create = () => {
      const own = 1e-6 * ++instances;
      return unsteady(1, () => own);
    };
    expect(await outcome(create)).toEqual(["another instance", "1 not applicable"]);
  });
  it("differs with the number of threads is found out", async () => {
    const create = ({ threads = 1 } = {}) => unsteady(threads, () => 1e-6 * threads);
    expect(await outcome(create)).toEqual(["any number of threads", "0 not applicable"]);
  });
});
