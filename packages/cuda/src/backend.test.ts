/** The backend object: what it checks, what it holds, what it shares with no other, how it ends. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError } from "@thalweg/core";
import {
  type Backend,
  BackendError,
  type BufferHandle,
  type DType,
  dtypes,
  type HostArray,
  type Program,
} from "@thalweg/core/backend";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CudaUnavailableError, cuda } from "./index.ts";
import { DiskCache } from "./program/diskCache.ts";
import {
  canEmulate,
  emulatedBackend,
  emulatedCuda,
  emulatedLibraries,
  emulationModes,
  modeValue,
  modeVariable,
} from "./testEmulation.ts";

const made: Backend[] = [];
async function backendOf(options: Parameters<typeof cuda>[0] = {}): Promise<Backend> {
  const backend = await emulatedCuda(options);
  made.push(backend);
  return backend;
}
function backendIn(mode: (typeof emulationModes)[number]): Backend {
  vi.stubEnv(modeVariable, modeValue(mode));
  const backend = emulatedBackend(mode);
  made.push(backend);
  return backend;
}
afterEach(() => {
  vi.unstubAllEnvs();
  for (const backend of made.splice(0)) backend.dispose();
});

/** output[i] = input[i + offset] · factor. An offset other than 0 leaves the buffer. */
const scaling = (factor: number, offset = 0): Program => ({
  buffers: [
    { dtype: "float32", size: 4, kind: "input" },
    { dtype: "float32", size: 4, kind: "output" },
  ],
  uniforms: [],
  kernels: [
    {
      kind: "loop",
      label: "scaled",
      outer: [4],
      inner: [],
      stages: [
        {
          over: "outer",
          body: [
            { id: 0, op: "load", dtype: "float32", slot: 0, at: { offset, strides: [1] } },
            { id: 1, op: "constant", dtype: "float32", value: factor },
            { id: 2, op: "mul", dtype: "float32", args: [0, 1] },
            { id: 3, op: "store", slot: 1, at: { offset: 0, strides: [1] }, value: 2 },
          ],
        },
      ],
      segments: [{ size: 4, buffers: [0, 1] }],
    },
  ],
  arenaBytes: 0,
});

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

/** Runs a program of one input and one output. */
async function result(backend: Backend, program: Program, input: Float32Array): Promise<HostArray> {
  const [from, to] = [backend.allocate("float32", 4), backend.allocate("float32", 4)];
  backend.write(from, input);
  backend.run(backend.compile(program), [from, to], []);
  const values = await backend.read(to);
  backend.free(from);
  backend.free(to);
  return values;
}

/** What a promise is rejected with. */
const rejection = async (promise: Promise<unknown>): Promise<Error> => {
  const outcome = await promise.then(
    () => undefined,
    (error: Error) => error,
  );
  if (!outcome) throw new Error("was not rejected");
  return outcome;
};

describe("options", () => {
  it.each([
    [{ device: -1 }, "cuda: device must be a whole number from 0, got -1"],
    [{ device: 0.5 }, "cuda: device must be a whole number from 0, got 0.5"],
    [{ precision: "fast" as "tf32" }, "cuda: precision must be one of highest, tf32, got fast"],
  ])("that are none are refused: %o", async (options, message) => {
    const error = await rejection(cuda(options));
    expect([error instanceof ArgumentError, error.message]).toEqual([true, message]);
  });

  it("that name no addon: what was looked for is told", async () => {
    const error = await rejection(cuda({ addon: "/nowhere/thalweg_cuda.node" }));
    expect(error).toBeInstanceOf(CudaUnavailableError);
    expect([error.name, error.message]).toEqual([
      "CudaUnavailableError",
      "cuda: the addon was not found. Looked for\n  /nowhere/thalweg_cuda.node: no such file",
    ]);
    expect((error as CudaUnavailableError).tried).toEqual([
      { path: "/nowhere/thalweg_cuda.node", error: "no such file" },
    ]);
  });
});

describe.skipIf(!canEmulate)("on the emulated driver", () => {
  it("libraries that are not where the options say are told, each with what the loader answered", async () => {
    const driver = await rejection(cuda({ driver: "/nowhere/libcuda.so.1" }));
    expect(driver).toBeInstanceOf(CudaUnavailableError);
    expect(driver.message).toMatch(
      /^cuda: there is no NVIDIA driver that can be used here \(the addon is .*\.node\)\. Looked for\n {2}\/nowhere\/libcuda\.so\.1: .*No such file/,
    );
    const nvrtc = await rejection(cuda({ driver: "emulated", nvrtc: "/nowhere/libnvrtc.so" }));
    expect(nvrtc).toBeInstanceOf(CudaUnavailableError);
    expect(nvrtc.message).toMatch(
      /^cuda: NVRTC, which compiles kernels, was not found;.*\n {2}\/nowhere\/libnvrtc\.so: /,
    );
    expect((await rejection(emulatedCuda({ device: 7 }))).message).toBe(
      "cuda: there is no device 7; there are 0 (Emulated), 1 (Emulated)",
    );
    const without = await backendOf({ cublasLt: "/nowhere/libcublasLt.so", precision: "tf32" });
    expect(without.description).toMatch(/^Emulated \(sm_90, .* no cuBLASLt; float32 products by TF32$/);
    expect(await result(without, scaling(2), floats(1, 2, 3, 4))).toEqual(floats(2, 4, 6, 8));
  });

  it("an addon that is none is told", async () => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-addon-"));
    writeFileSync(join(folder, "addon.cjs"), "exports.interfaceVersion = 999;");
    writeFileSync(join(folder, "broken.node"), "nothing");
    const old = await rejection(cuda({ addon: join(folder, "addon.cjs") }));
    expect(old.message).toBe(
      `cuda: the addon was not found. Looked for\n  ${join(folder, "addon.cjs")}: speaks interface 999, expected 1`,
    );
    const broken = await rejection(cuda({ addon: join(folder, "broken.node") }));
    expect(broken).toBeInstanceOf(CudaUnavailableError);
    rmSync(folder, { recursive: true });
  });

  it("says what it is and can", async () => {
    const { name, description, capabilities } = await backendOf();
    expect([name, capabilities.device, capabilities.blocking, capabilities.asynchronous]).toEqual([
      "cuda",
      // The emulated device is no device.
      undefined,
      true,
      true,
    ]);
    expect(description).toMatch(/^Emulated \(sm_90, 132 multiprocessors, .*; driver \(CUDA 13\.0\), NVRTC 0\./);
  });

  it.each(Object.keys(dtypes) as DType[])("buffers of %s begin with zeros and keep what is written", async (dtype) => {
    const backend = await backendOf();
    // Memory that somebody else has left something in.
    const used = backend.allocate(dtype, 5);
    const ones = new dtypes[dtype].hostArray(5).fill(1);
    backend.write(used, ones);
    expect(backend.readSync?.(used)).toEqual(ones);
    backend.free(used);
    const handle = backend.allocate(dtype, 5);
    const array = new dtypes[dtype].hostArray(5);
    expect(backend.readSync?.(handle)).toEqual(array);
    array.set([1, 0, 1, 1, 0]);
    backend.write(handle, array);
    const copy = (await backend.read(handle)) as HostArray;
    expect(copy).toEqual(array);
    copy.fill(0);
    expect(backend.readSync?.(handle)).toEqual(array);
    const none = backend.allocate(dtype, 0);
    backend.write(none, new dtypes[dtype].hostArray(0));
    expect(backend.readSync?.(none)).toEqual(new dtypes[dtype].hostArray(0));
  });

  it("counts what is allocated", async () => {
    const backend = await backendOf();
    const handles = [backend.allocate("float64", 10), backend.allocate("bfloat16", 3)];
    expect(backend.memory()).toEqual({ bufferBytes: 86, buffers: 2, arenaBytes: 0 });
    backend.free(handles[0] as BufferHandle);
    expect(backend.memory()).toEqual({ bufferBytes: 6, buffers: 1, arenaBytes: 0 });
    expect(() => backend.free(handles[0] as BufferHandle)).toThrow("cuda: free: the buffer was freed");
  });

  it.each(emulationModes)(
    "writes and reads come in the order they are asked for, the driver being %s",
    async (mode) => {
      const backend = backendIn(mode);
      const executable = backend.compile(scaling(3));
      const [from, to] = [backend.allocate("float32", 4), backend.allocate("float32", 4)];
      const blank = backend.read(from);
      const reads: Promise<HostArray>[] = [];
      for (let i = 0; i < 100; i++) {
        backend.write(from, floats(i, 1, 2, 3));
        reads.push(backend.read(from));
        backend.run(executable, [from, to], []);
        reads.push(backend.read(to));
        // Freed while it is read: whoever gets the memory writes there only when that is done.
        const passing = backend.allocate("float32", 4);
        backend.write(passing, floats(-i, 0, 0, 0));
        reads.push(backend.read(passing));
        backend.free(passing);
      }
      expect(await blank).toEqual(floats(0, 0, 0, 0));
      const values = await Promise.all(reads);
      for (let i = 0; i < 100; i++) {
        expect(values.slice(3 * i, 3 * i + 3)).toEqual([
          floats(i, 1, 2, 3),
          floats(3 * i, 3, 6, 9),
          floats(-i, 0, 0, 0),
        ]);
      }
    },
  );

  it.each(emulationModes)("memory freed while it is written to is nobody's until then, the driver being %s", (mode) => {
    const backend = backendIn(mode);
    const executable = backend.compile(scaling(3));
    const from = backend.allocate("float32", 4);
    backend.write(from, floats(0, 1, 2, 3));
    expect(backend.readSync?.(from)).toEqual(floats(0, 1, 2, 3));
    const passing = backend.allocate("float32", 4);
    backend.write(passing, floats(7, 7, 7, 7));
    backend.free(passing);
    const to = backend.allocate("float32", 4);
    backend.run(executable, [from, to], []);
    expect(backend.readSync?.(to)).toEqual(floats(0, 3, 6, 9));
    // Brings all copies to an end.
    backend.write(from, floats(5, 5, 5, 5));
    expect(backend.readSync?.(from)).toEqual(floats(5, 5, 5, 5));
    expect(backend.readSync?.(to)).toEqual(floats(0, 3, 6, 9));
  });

  it("does not share anything with another one, on the same device or the next", async () => {
    const backends = [await backendOf(), await backendOf(), await backendOf({ device: 1 })];
    const executables = backends.map((backend, i) => backend.compile(scaling(i + 1)));
    const buffers = backends.map(
      (backend) => [backend.allocate("float32", 4), backend.allocate("float32", 4)] as const,
    );
    for (let run = 1; run <= 4; run++) {
      backends.forEach((backend, i) => {
        const [from, to] = buffers[i] as readonly [BufferHandle, BufferHandle];
        backend.write(from, floats(run, i, 0, 1));
        backend.run(executables[i] as ReturnType<Backend["compile"]>, [from, to], []);
      });
    }
    const read = (i: number): HostArray | undefined => backends[i]?.readSync?.(buffers[i]?.[1] as BufferHandle);
    expect([0, 1, 2].map(read)).toEqual([floats(4, 0, 0, 1), floats(8, 2, 0, 2), floats(12, 6, 0, 3)]);
    const foreign = (): HostArray | undefined => backends[1]?.readSync?.(buffers[0]?.[1] as BufferHandle);
    expect(foreign).toThrow("cuda: read: the buffer is another backend's");
    backends[0]?.dispose();
    expect([1, 2].map(read)).toEqual([floats(8, 2, 0, 2), floats(12, 6, 0, 3)]);
    expect(() => read(0)).toThrow("cuda: used after it was disposed");
  });

  it.each(emulationModes)(
    "a fault of the device is an error, and no more than that, the driver being %s",
    async (mode) => {
      const [backend, other] = [backendIn(mode), backendIn(mode)];
      const [from, to] = [backend.allocate("float32", 4), backend.allocate("float32", 4)];
      const executable = backend.compile(scaling(1, 2 ** 30));
      const late = backend.allocate("float32", 4);
      backend.write(late, floats(1, 2, 3, 4));
      const faulty = async (): Promise<void> => {
        backend.run(executable, [from, to], []);
        await backend.read(to);
      };
      const error = await rejection(faulty());
      expect(error).toBeInstanceOf(BackendError);
      expect(error.message).toMatch(/^cuda: (run|read): cu\w+.* failed: CUDA_ERROR_ILLEGAL_ADDRESS \(700\)/);
      // From now on every use says so, but for giving things back.
      expect(() => backend.readSync?.(to)).toThrow("CUDA_ERROR_ILLEGAL_ADDRESS");
      expect(() => backend.write(from, floats(1, 2, 3, 4))).toThrow(BackendError);
      expect(() => backend.compile(scaling(5))).toThrow(BackendError);
      expect((await rejection(backend.read(from))).message).toContain("CUDA_ERROR_ILLEGAL_ADDRESS");
      for (const handle of [from, to, late]) backend.free(handle);
      backend.dispose();
      expect(await result(other, scaling(2), floats(1, 2, 3, 4))).toEqual(floats(2, 4, 6, 8));
    },
  );

  it("reads under way end with it", async () => {
    const backend = backendIn("lazy");
    const handle = backend.allocate("float32", 4);
    backend.write(handle, floats(1, 2, 3, 4));
    const reads = [backend.read(handle), backend.read(handle)];
    backend.dispose();
    backend.dispose();
    backend.free(handle);
    for (const outcome of await Promise.allSettled(reads)) {
      if (outcome.status === "fulfilled") expect(outcome.value).toEqual(floats(1, 2, 3, 4));
      else expect(outcome.reason.message).toBe("cuda: read: the backend was disposed before the data was there");
    }
    expect(() => backend.allocate("float32", 1)).toThrow("cuda: used after it was disposed");
    expect(() => backend.memory()).not.toThrow();
  });

  it("tells the engine what its buffers hold", () => {
    const libraries = emulatedLibraries();
    let known = 0;
    const listening = {
      ...libraries,
      devices: () => libraries.devices(),
      cublasLt: libraries.cublasLt,
      createContext(ordinal: number) {
        const context = libraries.createContext(ordinal);
        const adjust = context.adjustExternalMemory.bind(context);
        const before = adjust(0);
        Object.defineProperty(context, "adjustExternalMemory", {
          value: (bytes: number) => {
            const total = adjust(bytes);
            known += bytes;
            // Others tell the engine of what they hold, too.
            expect(Math.abs(total - before - known)).toBeLessThan(2 ** 20);
          },
        });
        return context;
      },
    } as typeof libraries;
    const backend = emulatedBackend("eager", listening);
    const large = backend.allocate("float32", 2 ** 24);
    expect(known).toBe(2 ** 26);
    backend.allocate("float32", 10);
    backend.free(large);
    // Forty bytes are not worth a call.
    expect(known).toBe(40);
    backend.allocate("float64", 2 ** 20);
    backend.dispose();
    expect(known).toBe(0);
  });

  it("finds on disk what another has compiled, and compiles anew what is spoilt there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-cache-"));
    const libraries = emulatedLibraries();
    let sources = 0;
    const counting = {
      ...libraries,
      devices: () => libraries.devices(),
      createContext: (ordinal: number) => libraries.createContext(ordinal),
      cublasLt: libraries.cublasLt,
      nvrtcVersion: libraries.nvrtcVersion,
      emulated: libraries.emulated,
      compile: (...args: Parameters<typeof libraries.compile>) => {
        sources += args[0].length;
        return libraries.compile(...args);
      },
    } as typeof libraries;
    const scaledBy = async (factor: number): Promise<number> => {
      const backend = emulatedBackend("eager", counting, new DiskCache(folder));
      made.push(backend);
      return (await result(backend, scaling(factor), floats(1, 2, 3, 4)))[3] as number;
    };
    expect([await scaledBy(2), sources]).toEqual([8, 1]);
    expect([await scaledBy(2), sources]).toEqual([8, 1]);
    expect([await scaledBy(3), sources]).toEqual([12, 2]);
    for (const file of readdirSync(folder)) writeFileSync(join(folder, file), "spoilt");
    expect([await scaledBy(2), sources]).toEqual([8, 3]);
    rmSync(folder, { recursive: true });
  });
});
