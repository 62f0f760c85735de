import {
  type Backend,
  type BufferHandle,
  type HostArray,
  type Instruction,
  type Kernel,
  type Program,
  referenceBackend,
} from "@thalweg/core/backend";
import { describe, expect, test } from "vitest";
import { runCase, runCases } from "../run.ts";
import { kernelCases } from "./index.ts";

const patience = { timeout: 300_000 };

test(
  "the interpreter agrees with what cases know by hand, and with itself where float32 memory rounds or not",
  patience,
  async () => {
    const report = await runCases(() => referenceBackend(), kernelCases);
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ passed: kernelCases.length, notApplicable: 0 });
  },
);

test("a backend of loops over two dtypes is asked for no more", patience, async () => {
  const create = () => {
    const backend = referenceBackend({ kernels: ["loop"], rounding: true });
    const capabilities = { ...backend.capabilities, dtypes: new Set(["float32", "int32"] as const) };
    return {
      ...backend,
      capabilities,
      allocate: (dtype, size) => {
        expect(["float32", "int32"]).toContain(dtype);
        return backend.allocate(dtype, size);
      },
    } satisfies Backend;
  };
  const report = await runCases(create, kernelCases);
  expect(report.failures).toEqual([]);
  expect(report.passed).toBeGreaterThan(200);
  expect(report.notApplicable).toBeGreaterThan(300);
});

/** A backend that runs another Program than it was given. */
function changing(change: (kernel: Kernel) => Kernel): Backend {
  const backend = referenceBackend({ rounding: true });
  return {
    ...backend,
    compile: (program: Program) => backend.compile({ ...program, kernels: program.kernels.map(change) }),
  };
}

const inBodies = (change: (instruction: Instruction) => Instruction) =>
  changing((kernel) => {
    if (kernel.kind === "loop") {
      return { ...kernel, stages: kernel.stages.map(({ over, body }) => ({ over, body: body.map(change) })) };
    }
    if (!("epilogue" in kernel)) return kernel;
    return { ...kernel, epilogue: { ...kernel.epilogue, body: kernel.epilogue.body.map(change) } };
  });

const faults: readonly (readonly [name: string, make: () => Backend, caughtBy: string])[] = [
  [
    "takes the first element of each row for all",
    () =>
      inBodies((instruction) =>
        instruction.op === "load" && instruction.at.strides.length === 2
          ? { ...instruction, at: { ...instruction.at, strides: [instruction.at.strides[0] as number, 0] } }
          : instruction,
      ),
    "kernels/loop: every rank, axes in every order, read and written",
  ],
  [
    "masks the last element",
    () =>
      inBodies((instruction) =>
        instruction.op === "load" && instruction.conditions
          ? { ...instruction, conditions: instruction.conditions.map((c) => ({ ...c, hi: c.hi - 1 })) }
          : instruction,
      ),
    "kernels/loop: one condition, at both its edges",
  ],
  [
    "leaves relu out",
    () => inBodies((i) => (i.op === "relu" ? ({ ...i, op: "abs" } as Instruction) : i)),
    "kernels/matmul: followed by a bias for each column, and relu",
  ],
  [
    "misses the last number of a reduction",
    () =>
      changing((kernel) =>
        kernel.kind === "loop" && kernel.inner.length === 1
          ? { ...kernel, inner: [Math.max((kernel.inner[0] as number) - 1, 0)] }
          : kernel,
      ),
    "kernels/reduction: of an extreme at every place",
  ],
  [
    "keeps the uniforms of the first run",
    () => {
      const backend = referenceBackend();
      const first = new WeakMap<object, readonly number[]>();
      return {
        ...backend,
        run: (executable, buffers, uniforms) => {
          if (!first.has(executable)) first.set(executable, uniforms);
          backend.run(executable, buffers, first.get(executable) as readonly number[]);
        },
      };
    },
    "kernels/program: uniforms are those of each run",
  ],
  [
    "hands freed memory on as it is",
    () => {
      const backend = referenceBackend();
      const freed: { readonly handle: BufferHandle; readonly key: string }[] = [];
      const keys = new WeakMap<BufferHandle, string>();
      return {
        ...backend,
        allocate: (dtype, size) => {
          const key = `${dtype} ${size}`;
          const found = freed.findIndex((entry) => entry.key === key);
          const handle =
            found >= 0 ? (freed.splice(found, 1)[0]?.handle as BufferHandle) : backend.allocate(dtype, size);
          keys.set(handle, key);
          return handle;
        },
        free: (handle) => {
          freed.push({ handle, key: keys.get(handle) as string });
        },
      };
    },
    "kernels/buffer: float32 is zero-filled when allocated, also in the place of one freed",
  ],
  [
    "gives out its own memory",
    () => {
      const backend = referenceBackend();
      const read = new Map<BufferHandle, HostArray>();
      return {
        ...backend,
        write: (handle, data) => {
          backend.write(handle, data);
          read.delete(handle);
        },
        read: async (handle) => {
          const host = read.get(handle) ?? (await backend.read(handle));
          read.set(handle, host);
          return host;
        },
      };
    },
    "kernels/buffer: reading copies",
  ],
  [
    "writes to an input",
    () => {
      const backend = referenceBackend();
      return {
        ...backend,
        run: (executable, buffers, uniforms) => {
          backend.run(executable, buffers, uniforms);
          const input = executable.program.buffers.findIndex(
            ({ kind, size, dtype }) => kind === "input" && size > 0 && dtype === "float32",
          );
          const handle = input >= 0 ? buffers[input] : undefined;
          if (handle) backend.write(handle, new Float32Array(backend.readSync?.(handle).length ?? 0));
        },
      };
    },
    "kernels/matmul: small, both operands as they are and transposed",
  ],
];

describe("a backend fails that", () => {
  test.each(faults)("%s", async (_, make, caughtBy) => {
    const tested = kernelCases.find(({ layer, name }) => `${layer}/${name}` === caughtBy);
    expect(tested).toBeDefined();
    const outcome = await runCase(tested as (typeof kernelCases)[number], make(), make);
    expect(outcome.kind).toBe("failed");
  });

  test("and says where, with the Program", async () => {
    const make = () => inBodies((i) => (i.op === "neg" ? ({ ...i, op: "abs" } as Instruction) : i));
    const tested = kernelCases.find(({ name }) => name === "scalar: known results of neg of int32");
    const outcome = await runCase(tested as (typeof kernelCases)[number], make(), make);
    expect(outcome.kind === "failed" && outcome.message).toContain(
      "output b1, element 1 (int32): got 2147483647, expected -2147483647\nprogram: 1 kernel (1 loop)",
    );
  });
});
