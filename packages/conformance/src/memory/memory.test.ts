import { type Backend, type BufferHandle, type HostArray, IndexError, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runCases } from "../run.ts";
import { memoryCases } from "./cases.ts";

const globals = globalThis as { gc?: (() => void) | undefined };

describe("the cases of memory", () => {
  it.each([
    ["every kind of kernel", () => referenceBackend()],
    ["loop kernels alone", () => referenceBackend({ kernels: ["loop"] })],
  ])(
    "pass on the interpreter with %s",
    async (_name, create) => {
      expect(await runCases(create, memoryCases)).toMatchObject({ failures: [], passed: memoryCases.length });
    },
    120_000,
  );

  it("pass where nothing can be read without waiting", async () => {
    const create = (): Backend => {
      const { readSync: _, ...inner } = referenceBackend();
      return { ...inner, capabilities: { ...inner.capabilities, blocking: false } };
    };
    expect(await runCases(create, memoryCases)).toMatchObject({ failures: [], passed: memoryCases.length });
  }, 120_000);

  it("work without a collector, as far as they can", async () => {
    const { gc } = globals;
    globals.gc = undefined;
    try {
      const report = await runCases(() => referenceBackend(), memoryCases);
      expect(report).toMatchObject({ failures: [], passed: memoryCases.length - 3, notApplicable: 3 });
    } finally {
      globals.gc = gc;
    }
  }, 120_000);
});

/** An interpreter with some of it replaced. */
const broken = (change: (inner: Backend) => Partial<Backend>) => (): Backend => {
  const inner = referenceBackend();
  return { ...inner, ...change(inner) };
};

let shared: Backend | undefined;

/** The fault, and a case that finds it. */
const faults: readonly (readonly [fault: string, finds: string, create: () => Backend])[] = [
  ["never frees", "buffers are counted", broken(() => ({ free: () => undefined }))],
  [
    "loses a buffer at every run",
    "1,000 runs of a compiled step",
    broken((inner) => ({
      run(...args) {
        inner.allocate("float32", 1);
        inner.run(...args);
      },
    })),
  ],
  [
    "loses a buffer at every Program it compiles",
    "programs share one arena",
    broken((inner) => {
      let arenaBytes = 0;
      return {
        compile(program) {
          arenaBytes += program.arenaBytes;
          return inner.compile(program);
        },
        memory: () => ({ ...inner.memory(), arenaBytes }),
      };
    }),
  ],
  [
    "lets the arena grow with every run",
    "300 steps that are not compiled",
    broken((inner) => {
      let arenaBytes = 0;
      return {
        run(...args) {
          arenaBytes += 8;
          inner.run(...args);
        },
        memory: () => ({ ...inner.memory(), arenaBytes }),
      };
    }),
  ],
  [
    "counts nothing",
    "buffers are counted",
    broken(() => ({ memory: () => ({ buffers: 0, bufferBytes: 0, arenaBytes: 0 }) })),
  ],
  [
    "holds on to a buffer for every reading",
    "reading a parameter",
    broken((inner) => ({
      async read(handle) {
        inner.allocate("float32", 1);
        return inner.read(handle);
      },
    })),
  ],
  [
    "holds on to a buffer when a run fails",
    "a step that fails",
    broken((inner) => ({
      run(...args) {
        try {
          inner.run(...args);
        } catch (error) {
          if (error instanceof IndexError) inner.allocate("float32", 1);
          throw error;
        }
      },
    })),
  ],
  [
    "does not notice an index out of range",
    "a step that fails",
    broken((inner) => ({
      run(...args) {
        try {
          inner.run(...args);
        } catch (error) {
          if (!(error instanceof IndexError)) throw error;
        }
      },
    })),
  ],
  [
    "hands out freed memory as it was left",
    "a new buffer is zeros",
    broken((inner) => {
      const freed: HostArray[] = [];
      return {
        allocate(dtype, size) {
          const handle = inner.allocate(dtype, size);
          const old = freed.find((values) => values.length === size && values instanceof Float32Array);
          if (old && dtype === "float32") inner.write(handle, old);
          return handle;
        },
        free(handle) {
          freed.push(inner.readSync?.(handle) as HostArray);
          inner.free(handle);
        },
      };
    }),
  ],
  [
    "gives every reader the same array",
    "copies",
    broken((inner) => {
      const read = new Map<BufferHandle, HostArray>();
      return {
        async read(handle) {
          const values = read.get(handle) ?? (await inner.read(handle));
          read.set(handle, values);
          return values;
        },
      };
    }),
  ],
  ["cannot be disposed of", "disposed of refuses", broken(() => ({ dispose: () => undefined }))],
  [
    "shares its buffers among instances",
    "instances share nothing",
    () => {
      shared ??= referenceBackend();
      return { ...shared };
    },
  ],
  [
    "keeps what is disposed of until more is allocated",
    "disposing of parameters",
    broken((inner) => {
      const waiting: BufferHandle[] = [];
      return {
        free(handle) {
          waiting.push(handle);
          if (waiting.length > 3) inner.free(waiting.shift() as BufferHandle);
        },
      };
    }),
  ],
];

describe("a backend that", () => {
  it.each(faults)("%s is found out by: %s", async (_fault, finds, create) => {
    const { failed } = await runCases(create, memoryCases, { only: finds });
    expect(failed).toBeGreaterThan(0);
  });
});
