import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  Addon,
  CudaError,
  NativeContext,
  NativeEvent,
  NativeLaunch,
  NativeLibraries,
  NativePinned,
  NativeStream,
  ProductDescription,
} from "./addon.ts";
import { addonFile, buildFolder, emulationFile, nativeFolder } from "./load.ts";

const addonPath = process.env.THALWEG_CUDA_ADDON || join(buildFolder(nativeFolder() as string), addonFile);
const driverPath = join(dirname(addonPath), emulationFile);
const hasCompiler = spawnSync("c++", ["--version"]).status === 0;
const missing = [addonPath, driverPath].find((path) => !existsSync(path)) ?? (hasCompiler ? undefined : "c++");

/** What `action` throws, which must be a CudaError. */
function failure(action: () => unknown): CudaError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).name).toBe("CudaError");
    return error as CudaError;
  }
  throw new Error("did not throw");
}

/** Lets the collector run until it has collected what it can, finalizers included. */
async function collect(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await sleep(1);
  }
}

const options = ["--gpu-architecture=sm_90", "--fmad=false", "--std=c++17", "-default-device"];
const kernels = `
#include "operations.cuh"
extern "C" __global__ void scale(float* to, const float* from, long long n, long long factor) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) to[i] = times(from[i], (float)factor);
}
extern "C" __global__ void reverse(float* data) {
  DYNAMIC
  float* const copy = (float*)shared;
  copy[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}
extern "C" __global__ void broken(float* data) { data[threadIdx.x] = 1; }
extern "C" __global__ void nothing() {}
`;
const operations = `
__device__ inline float times(float a, float b) { return a * b; }
#ifdef THALWEG_EMULATION
#define DYNAMIC unsigned char* const shared = thalwegEmulation->dynamicShared;
#else
#define DYNAMIC extern __shared__ unsigned char shared[];
#endif
`;

describe.skipIf(missing)(missing ? `the addon (there is no ${missing})` : "the addon", () => {
  let addon: Addon;
  let libraries: NativeLibraries;
  let image: Uint8Array;
  let context: NativeContext;
  let stream: NativeStream;
  let pinned: NativePinned;
  let host: Float32Array;

  beforeAll(() => {
    addon = createRequire(import.meta.url)(addonPath) as Addon;
    libraries = addon.open({ driver: [driverPath], nvrtc: [driverPath], cublasLt: [driverPath] });
    image = libraries.compile([kernels], { "operations.cuh": operations }, options, 1)[0] as Uint8Array;
    context = libraries.createContext(0);
    stream = context.createStream(false);
    pinned = context.allocatePinned(4096);
    host = new Float32Array(pinned.data);
  });

  afterAll(() => context?.dispose());

  const upload = (to: number, values: readonly number[]): void => {
    host.set(values);
    stream.copyToDevice(to, pinned.address, 4 * values.length);
    stream.synchronize();
  };

  const download = (from: number, count: number): number[] => {
    host.fill(-1);
    stream.copyToHost(pinned.address, from, 4 * count);
    stream.synchronize();
    return [...host.subarray(0, count)];
  };

  const kernel = (name: string, values: readonly number[], more: object = {}): NativeLaunch => ({
    kind: "kernel",
    function: context.loadModule(image).function(name, 0),
    grid: [1, 1, 1],
    block: [32, 1, 1],
    sharedBytes: 0,
    arguments: values,
    ...more,
  });

  describe("libraries", () => {
    it("say where they were found, and that the driver is emulated", () => {
      expect(libraries.driver).toEqual({ path: driverPath, tried: [] });
      expect(libraries.emulated).toBe(true);
      expect(libraries.driverVersion).toBeGreaterThanOrEqual(12000);
      expect(libraries.nvrtcVersion).toHaveLength(2);
    });

    it("that are missing say what each candidate answered, and calls that need them throw", () => {
      const none = addon.open({ driver: ["libthere-is-none.so"], nvrtc: [addonPath], cublasLt: [] });
      expect(none.emulated).toBe(false);
      expect(none.driver.path).toBeUndefined();
      expect(none.driver.tried).toHaveLength(1);
      expect(none.driver.tried[0]?.path).toBe("libthere-is-none.so");
      expect(none.driver.tried[0]?.error).toMatch(/libthere-is-none/);
      expect(none.nvrtc.tried[0]?.error).toMatch(/^lacks nvrtcVersion, /);
      expect(none.driverVersion).toBeUndefined();
      const { library, code, status } = failure(() => none.devices());
      expect({ library, code, status }).toEqual({ library: "driver", code: "LIBRARY_MISSING", status: -1 });
      expect(failure(() => none.createContext(0)).code).toBe("LIBRARY_MISSING");
      expect(failure(() => none.compile([""], {}, [], 1)).library).toBe("nvrtc");
    });

    it("passes over a candidate that cannot be used", () => {
      const found = addon.open({ driver: ["libthere-is-none.so", driverPath], nvrtc: [], cublasLt: [] });
      expect(found.driver.path).toBe(driverPath);
      expect(found.driver.tried).toHaveLength(1);
      found.createContext(0).dispose();
    });

    it("list the devices", () => {
      const devices = libraries.devices();
      expect(devices.map(({ ordinal }) => ordinal)).toEqual(devices.map((_, index) => index));
      expect(devices[0]?.architecture).toBeGreaterThanOrEqual(80);
      expect(devices[0]?.uuid).toMatch(/^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    });

    it("throw for a device that is not there", () => {
      const error = failure(() => libraries.createContext(99));
      expect(error.code).toBe("CUDA_ERROR_INVALID_DEVICE");
      expect(error.status).toBe(101);
      expect(error.call).toContain("device 99");
    });
  });

  describe("compiling", () => {
    it("throws the compiler's messages for the first source that has an error", () => {
      const good = 'extern "C" __global__ void f() {}';
      const error = failure(() => libraries.compile([good, "undeclared here;", "also wrong;"], {}, options, 3));
      expect(error.library).toBe("nvrtc");
      expect(error.code).toBe("NVRTC_ERROR_COMPILATION");
      expect(error.status).toBe(6);
      expect(error.log).toContain("undeclared");
      expect(error.call).toContain("source1");
      expect(error.message).toContain("undeclared");
    });

    it("throws for an option there is none of", () => {
      expect(failure(() => libraries.compile([""], {}, ["--no-such-option"], 1)).code).toBe(
        "NVRTC_ERROR_INVALID_OPTION",
      );
    });

    it("gives an image for each source", () => {
      const source = (name: string): string => `extern "C" __global__ void ${name}() {}`;
      const images = libraries.compile(["a", "b", "c"].map(source), {}, options, 2);
      expect(images).toHaveLength(3);
      for (const [index, name] of ["a", "b", "c"].entries()) {
        const module = context.loadModule(images[index] as Uint8Array);
        expect(module.function(name, 0).localBytes).toBeGreaterThanOrEqual(0);
        expect(failure(() => module.function("d", 0)).code).toBe("CUDA_ERROR_NOT_FOUND");
      }
      expect(libraries.compile([], {}, options, 2)).toEqual([]);
    });
  });

  describe("memory", () => {
    it("is copied there, about, and back", () => {
      const [a, b] = [context.allocate(64), context.allocate(64)];
      expect(a.bytes).toBe(64);
      expect(a.address % 256).toBe(0);
      upload(a.address, [1, 2.5, -3, 4]);
      stream.copyOnDevice(b.address + 4, a.address, 16);
      expect(download(b.address + 4, 4)).toEqual([1, 2.5, -3, 4]);
      a.dispose();
      b.dispose();
    });

    it("is filled with words", () => {
      const memory = context.allocate(16);
      upload(memory.address, [7, 7, 7, 7]);
      stream.fill(memory.address + 4, 0x40490fdb, 2);
      expect(download(memory.address, 4)).toEqual([7, Math.fround(Math.PI), Math.fround(Math.PI), 7]);
      memory.dispose();
    });

    it("counts what is free", () => {
      const [before, total] = context.memoryInfo();
      const memory = context.allocate(2 ** 20);
      expect(context.memoryInfo()[0]).toBeLessThanOrEqual(before - 2 ** 20);
      memory.dispose();
      expect(context.memoryInfo()).toEqual([before, total]);
    });

    it("throws when there is not enough, and goes on", () => {
      const error = failure(() => context.allocate(2 ** 50));
      expect(error.code).toBe("CUDA_ERROR_OUT_OF_MEMORY");
      expect(error.status).toBe(2);
      expect(error.call).toBe("cuMemAlloc_v2 of 1125899906842624 bytes");
      context.allocate(64).dispose();
    });

    it("that was disposed of twice is given back once", () => {
      const [before] = context.memoryInfo();
      const memory = context.allocate(2 ** 20);
      memory.dispose();
      memory.dispose();
      expect(context.memoryInfo()[0]).toBe(before);
    });

    it("of the host has no elements once it is disposed of", () => {
      const memory = context.allocatePinned(64);
      const view = new Float32Array(memory.data);
      view[3] = 5;
      expect(memory.data.byteLength).toBe(64);
      memory.dispose();
      memory.dispose();
      expect(view.length).toBe(0);
      expect(memory.data.byteLength).toBe(0);
    });

    it("of the host stays while a view of it does", async () => {
      let view: Float32Array | undefined = new Float32Array(context.allocatePinned(64).data).fill(3);
      await collect();
      expect([...view.subarray(0, 3)]).toEqual([3, 3, 3]);
      view = undefined;
      await collect();
    });

    it("is given back when it is collected", async () => {
      await collect();
      const [before] = context.memoryInfo();
      for (let i = 0; i < 8; i++) context.allocate(2 ** 20);
      await collect();
      expect(context.memoryInfo()[0]).toBe(before);
    });

    it("wants numbers that can be addresses", () => {
      expect(() => context.allocate(-1)).toThrow(TypeError);
      expect(() => context.allocate(1.5)).toThrow("bytes is 1.5, expected a whole number that is not negative");
      expect(() => stream.fill(Number.NaN, 0, 1)).toThrow(TypeError);
      expect(() => stream.copyToHost(0, "there" as unknown as number, 4)).toThrow(TypeError);
    });
  });

  describe("events", () => {
    it("are done when what was before them is", async () => {
      const event = context.createEvent(false);
      stream.fill(pinned.address, 0, 1);
      event.record(stream);
      await event.wait();
      expect(event.done()).toBe(true);
      event.synchronize();
      event.dispose();
    });

    it("wait in many places at once", async () => {
      const events = Array.from({ length: 12 }, () => context.createEvent(false));
      for (const event of events) event.record(stream);
      expect(await Promise.all(events.map((event) => event.wait()))).toEqual(events.map(() => undefined));
    });

    it("hold up another stream", () => {
      const memory = context.allocate(4);
      const [other, event] = [context.createStream(true), context.createEvent(false)];
      stream.fill(memory.address, 0x3f800000, 1);
      event.record(stream);
      other.waitFor(event);
      other.copyToHost(pinned.address, memory.address, 4);
      other.synchronize();
      expect(host[0]).toBe(1);
      expect(other.done()).toBe(true);
      for (const each of [other, event, memory]) each.dispose();
    });

    describe("of work that is not done yet", () => {
      beforeAll(() => {
        process.env.THALWEG_CUDA_EMULATION = "lazy";
      });
      afterAll(() => {
        delete process.env.THALWEG_CUDA_EMULATION;
        stream.synchronize();
      });

      it("are waited for on another thread", async () => {
        const [memory, event] = [context.allocate(4), context.createEvent(false)];
        for (let word = 1; word <= 40; word++) stream.fill(memory.address, word, 1);
        stream.copyToHost(pinned.address, memory.address, 4);
        event.record(stream);
        expect(event.done()).toBe(false);
        await event.wait();
        expect(event.done()).toBe(true);
        expect(new Int32Array(pinned.data)[0]).toBe(40);
      });

      it("reject when they are disposed of meanwhile", async () => {
        const [memory, event] = [context.allocate(4), context.createEvent(false)];
        for (let word = 0; word < 20_000; word++) stream.fill(memory.address, word, 1);
        event.record(stream);
        const waits = [event.wait(), event.wait()];
        event.dispose();
        const reason = { name: "CudaError", code: "DISPOSED" };
        const expected = { status: "rejected", reason: expect.objectContaining(reason) };
        expect(await Promise.allSettled(waits)).toEqual([expected, expected]);
      });

      it("reject with what went wrong on the device", async () => {
        const other = libraries.createContext(0);
        const [lane, event] = [other.createStream(false), other.createEvent(false)];
        const broken = { ...kernel("broken", [64]), function: other.loadModule(image).function("broken", 0) };
        other.createSequence([broken as NativeLaunch]).launch(lane, 0, 0, 0, event);
        await expect(event.wait()).rejects.toMatchObject({ code: "CUDA_ERROR_ILLEGAL_ADDRESS", status: 700 });
        other.dispose();
      });

      it("reject when their context is disposed of", async () => {
        const other = libraries.createContext(0);
        const [lane, memory, event] = [other.createStream(false), other.allocate(4), other.createEvent(false)];
        for (let word = 0; word < 20_000; word++) lane.fill(memory.address, word, 1);
        event.record(lane);
        const wait = event.wait();
        other.dispose();
        await expect(wait).rejects.toMatchObject({ code: "DISPOSED" });
      });
    });

    it("measure time", () => {
      const [start, end] = [context.createEvent(true), context.createEvent(true)];
      start.record(stream);
      stream.fill(pinned.address, 0, 256);
      end.record(stream);
      end.synchronize();
      expect(end.elapsed(start)).toBeGreaterThanOrEqual(0);
      const untimed = context.createEvent(false);
      untimed.record(stream);
      untimed.synchronize();
      expect(failure(() => untimed.elapsed(start)).code).toBe("CUDA_ERROR_INVALID_HANDLE");
    });

    it("reject when they were disposed of", async () => {
      const event = context.createEvent(false);
      event.dispose();
      await expect(event.wait()).rejects.toMatchObject({ name: "CudaError", code: "DISPOSED", status: -1 });
      expect(failure(() => event.record(stream)).code).toBe("DISPOSED");
      expect(failure(() => stream.waitFor(event)).code).toBe("DISPOSED");
    });
  });

  describe("functions", () => {
    it("say what they need", () => {
      const found = context.loadModule(image).function("scale", 0);
      expect(found.registers).toBeGreaterThanOrEqual(0);
      expect(found.sharedBytes).toBe(0);
      expect(found.occupancy(256, 0)).toBeGreaterThan(0);
    });

    it("that are not in a module throw", () => {
      const error = failure(() => context.loadModule(image).function("absent", 0));
      expect(error.code).toBe("CUDA_ERROR_NOT_FOUND");
      expect(error.call).toBe("cuModuleGetFunction of absent");
    });

    it("cannot be loaded from what is no image", () => {
      expect(failure(() => context.loadModule(new Uint8Array(64))).code).toBe("CUDA_ERROR_INVALID_IMAGE");
      expect(() => context.loadModule(new Float32Array(4) as unknown as Uint8Array)).toThrow(TypeError);
    });

    it("keep their module", async () => {
      const module = context.loadModule(image);
      const found = module.function("scale", 0);
      module.dispose();
      module.dispose();
      await collect();
      expect(found.occupancy(128, 0)).toBeGreaterThan(0);
      expect(failure(() => module.function("scale", 0)).code).toBe("DISPOSED");
    });

    it("get more shared memory than the usual limit", () => {
      const memory = context.allocate(128);
      const found = context.loadModule(image).function("reverse", 100_000);
      upload(memory.address, [1, 2, 3, 4]);
      const launch = kernel("reverse", [memory.address], { function: found, block: [4, 1, 1], sharedBytes: 100_000 });
      context.createSequence([launch]).launch(stream, 0, 0, 0);
      expect(download(memory.address, 4)).toEqual([4, 3, 2, 1]);
      const small = kernel("reverse", [memory.address], { block: [4, 1, 1], sharedBytes: 100_000 });
      expect(failure(() => context.createSequence([small]).launch(stream, 0, 0, 0)).code).toBe(
        "CUDA_ERROR_INVALID_VALUE",
      );
      expect(failure(() => context.loadModule(image).function("reverse", 2 ** 20)).code).toBe(
        "CUDA_ERROR_INVALID_VALUE",
      );
    });
  });

  describe("products", () => {
    const matrix = (leading: number, transposed = false) => ({ type: 0, transposed, leading, batchStride: 0 });
    const description: ProductDescription = {
      m: 2,
      n: 2,
      k: 3,
      batch: 1,
      computeType: 68,
      scaleType: 0,
      alpha: 1,
      beta: 0,
      a: matrix(2),
      b: matrix(3),
      d: matrix(2),
      epilogue: 1,
      biasType: 0,
      workspaceBytes: 0,
      choice: 0,
    };
    const [a, b] = [
      [1, 2, 3, 4, 5, 6],
      [1, 0, -1, 2, 1, 0.5],
    ];

    /** The first six elements of D. */
    const product = (more: Partial<ProductDescription>, bias?: readonly number[]): number[] => {
      const memory = context.allocate(4096);
      const at = (index: number): number => memory.address + 1024 * index;
      upload(at(0), a);
      upload(at(1), b);
      upload(at(2), [10, 20, 30, 40, 50, 60]);
      if (bias) upload(at(3), bias);
      const plan = context.createProduct({ ...description, ...more });
      if (!plan) throw new Error("no algorithm");
      const sequence = context.createSequence([
        { kind: "product", product: plan, arguments: [at(0), at(1), at(2), at(2), bias ? at(3) : 0, 0] },
      ]);
      plan.dispose();
      sequence.launch(stream, 0, 0, 0);
      return download(at(2), 6);
    };

    it("are column-major", () => {
      expect(product({})).toEqual([-4, -4, 7.5, 11, 50, 60]);
    });

    it("are scaled and added to", () => {
      expect(product({ alpha: 2, beta: 0.5 })).toEqual([-3, 2, 30, 42, 50, 60]);
    });

    it("get a bias and a rectifier", () => {
      expect(product({ epilogue: 6, d: matrix(4) }, [3, 5])).toEqual([0, 1, 30, 40, 10.5, 16]);
    });

    it("of transposed matrices", () => {
      expect(product({ a: matrix(3, true), b: matrix(2, true) })).toEqual([2, 5, 5.5, 13, 50, 60]);
    });

    it("that there is no algorithm for are undefined", () => {
      expect(context.createProduct({ ...description, choice: 1000 })).toBeUndefined();
    });
  });

  describe("sequences", () => {
    for (const instantiated of [false, true]) {
      describe(instantiated ? "as a graph" : "sent one by one", () => {
        it("copy, launch in order, and record", () => {
          const memory = context.allocate(1024);
          const [x, y] = [memory.address, memory.address + 512];
          const done = context.createEvent(false);
          const sequence = context.createSequence([
            kernel("scale", [y, x, 4, 3]),
            { kind: "fill", word: 0x3f800000, words: 2, arguments: [y + 8] },
            kernel("nothing", []),
            kernel("scale", [y, y, 4, -2]),
          ]);
          if (instantiated) sequence.instantiate();
          for (const start of [1, 10]) {
            host.set([start, start + 1, start + 2, start + 3]);
            sequence.launch(stream, x, pinned.address, 16, done);
            done.synchronize();
            expect(download(y, 4)).toEqual([-6 * start, -6 * (start + 1), -2, -2]);
          }
          sequence.dispose();
          sequence.dispose();
          expect(failure(() => sequence.launch(stream, 0, 0, 0)).code).toBe("DISPOSED");
        });

        it("take other arguments", () => {
          const memory = context.allocate(1024);
          const [x, y, z] = [memory.address, memory.address + 256, memory.address + 512];
          const plan = context.createProduct({
            ...{ m: 2, n: 2, k: 1, batch: 1, computeType: 68, scaleType: 0, alpha: 1, beta: 0, epilogue: 1 },
            ...{ biasType: 0, workspaceBytes: 0, choice: 0, alignment: 8 },
            a: { type: 0, transposed: false, leading: 2, batchStride: 0 },
            b: { type: 0, transposed: false, leading: 1, batchStride: 0 },
            d: { type: 0, transposed: false, leading: 2, batchStride: 0 },
          });
          if (!plan) throw new Error("no algorithm");
          const sequence = context.createSequence([
            { kind: "fill", word: 0x40000000, words: 2, arguments: [x] },
            kernel("scale", [y, x, 2, 5]),
            { kind: "product", product: plan, arguments: [x, y, 0, z, 0, 0] },
          ]);
          if (instantiated) sequence.instantiate();
          upload(x, [0, 0, 1, 1]);
          sequence.launch(stream, 0, 0, 0);
          expect(download(x, 4)).toEqual([2, 2, 1, 1]);
          expect(download(z, 4)).toEqual([20, 20, 20, 20]);
          sequence.setArguments(0, [x + 8]);
          sequence.setArguments(1, [y, x, 2, -1]);
          sequence.setArguments(2, [x + 8, y, 0, z + 16, 0, 0]);
          upload(x, [3, 4, 0, 0]);
          sequence.launch(stream, 0, 0, 0);
          expect(download(x, 4)).toEqual([3, 4, 2, 2]);
          expect(download(y, 2)).toEqual([-3, -4]);
          expect(download(z, 8)).toEqual([20, 20, 20, 20, -6, -6, -8, -8]);
          expect(() => sequence.setArguments(3, [])).toThrow("launch is 3, expected the index of a launch");
          expect(() => sequence.setArguments(0, [])).toThrow(TypeError);
        });

        it("wait for the launches named", () => {
          const memory = context.allocate(1024);
          const x = (index: number): number => memory.address + 64 * index;
          upload(x(0), [1, 2]);
          const sequence = context.createSequence([
            kernel("scale", [x(1), x(0), 2, 3], { after: [] }),
            kernel("scale", [x(2), x(0), 2, 5], { after: [] }),
            kernel("scale", [x(3), x(1), 2, 2], { after: [0] }),
            kernel("scale", [x(4), x(2), 2, 2], { after: [1] }),
            kernel("scale", [x(0), x(0), 2, 0], { after: [2, 3] }),
          ]);
          if (instantiated) sequence.instantiate();
          sequence.launch(stream, 0, 0, 0);
          expect([0, 3, 4].map((index) => download(x(index), 2))).toEqual([
            [0, 0],
            [6, 12],
            [10, 20],
          ]);
        });

        it("of nothing do nothing", () => {
          const sequence = context.createSequence([]);
          if (instantiated) sequence.instantiate();
          sequence.launch(stream, 0, 0, 0);
        });
      });
    }

    it("say what is wrong with a launch", () => {
      const fill: NativeLaunch = { kind: "fill", word: 0, words: 1, arguments: [0], after: [0] };
      expect(() => context.createSequence([fill])).toThrow("after is 0, expected the index of an earlier launch");
      expect(() => context.createSequence([{ ...fill, kind: "walk" } as unknown as NativeLaunch])).toThrow(
        "kind is walk, expected kernel, fill or product",
      );
      expect(() => context.createSequence([kernel("nothing", [], { grid: [1] })])).toThrow(
        "grid is 1, expected three sizes",
      );
      const wrong = { ...kernel("nothing", []), function: stream } as unknown as NativeLaunch;
      expect(() => context.createSequence([wrong])).toThrow("expected NativeFunction");
      const error = failure(() =>
        context.createSequence([kernel("nothing", [], { grid: [0, 1, 1] })]).launch(stream, 0, 0, 0),
      );
      expect(error.code).toBe("CUDA_ERROR_INVALID_VALUE");
      expect(error.call).toBe("cuLaunchKernel of nothing on 0×1×1 blocks of 32×1×1 threads with 0 arguments");
    });
  });

  describe("contexts", () => {
    it("do not mix", () => {
      const other = libraries.createContext(0);
      const foreign = other.createStream(false);
      const event = other.createEvent(false);
      expect(() => context.createSequence([kernel("nothing", [])]).launch(foreign, 0, 0, 0)).toThrow(
        "expected one of the same context",
      );
      expect(() => other.createSequence([kernel("nothing", [])])).toThrow("expected one of the same context");
      const memory = context.allocate(16);
      upload(memory.address, [1, 2, 3, 4]);
      other.dispose();
      expect(failure(() => event.record(foreign)).code).toBe("DISPOSED");
      expect(download(memory.address, 4)).toEqual([1, 2, 3, 4]);
    });

    it("give back all that was made in them", async () => {
      const [before] = context.memoryInfo();
      const other = libraries.createContext(0);
      const memory = other.allocate(2 ** 20);
      const kept = other.allocatePinned(64);
      const event: NativeEvent = other.createEvent(false);
      const module = other.loadModule(image);
      const sequence = other.createSequence([{ kind: "fill", word: 0, words: 1, arguments: [memory.address] }]);
      sequence.instantiate();
      other.dispose();
      other.dispose();
      expect(context.memoryInfo()[0]).toBe(before);
      expect(kept.data.byteLength).toBe(0);
      expect(failure(() => other.synchronize()).code).toBe("DISPOSED");
      expect(failure(() => module.function("scale", 0)).code).toBe("DISPOSED");
      expect(failure(() => sequence.instantiate()).code).toBe("DISPOSED");
      await expect(event.wait()).rejects.toMatchObject({ code: "DISPOSED" });
      for (const each of [memory, kept, event, module, sequence]) each.dispose();
    });

    it("stay while something in them is used, and go with the last of it", async () => {
      const memoryOf = (): { use: () => void; finish: () => void } => {
        const other = libraries.createContext(0);
        const [memory, lane] = [other.allocate(2 ** 20), other.createStream(false)];
        return {
          use: () => {
            lane.fill(memory.address, 0, 4);
            lane.synchronize();
          },
          finish: () => memory.dispose(),
        };
      };
      await collect();
      const [before] = context.memoryInfo();
      let held: ReturnType<typeof memoryOf> | undefined = memoryOf();
      await collect();
      held.use();
      held.finish();
      held = undefined;
      await collect();
      expect(context.memoryInfo()[0]).toBe(before);
    });

    it("are disposed of in any order", () => {
      for (const contextFirst of [true, false]) {
        const other = libraries.createContext(0);
        const parts = [other.createStream(false), other.allocate(64), other.createEvent(true), other.loadModule(image)];
        if (contextFirst) other.dispose();
        for (const part of contextFirst ? parts : parts.reverse()) part.dispose();
        other.dispose();
      }
    });

    it("report a fault of the device at the next call, and leave others alone", () => {
      const other = libraries.createContext(0);
      const lane = other.createStream(false);
      const launch: NativeLaunch = {
        kind: "kernel",
        function: other.loadModule(image).function("broken", 0),
        grid: [1, 1, 1],
        block: [32, 1, 1],
        sharedBytes: 0,
        arguments: [64],
      };
      const sequence = other.createSequence([launch]);
      const error = failure(() => {
        sequence.launch(lane, 0, 0, 0);
        lane.synchronize();
      });
      expect(error.code).toBe("CUDA_ERROR_ILLEGAL_ADDRESS");
      expect(failure(() => other.allocate(64)).code).toBe("CUDA_ERROR_ILLEGAL_ADDRESS");
      sequence.dispose();
      other.dispose();
      const memory = context.allocate(16);
      upload(memory.address, [1, 2, 3, 4]);
      expect(download(memory.address, 4)).toEqual([1, 2, 3, 4]);
    });
  });

  it("cannot be fooled with other objects", () => {
    const Memory = context.allocate(64).constructor as new (...values: unknown[]) => object;
    expect(() => new Memory()).toThrow("NativeMemory cannot be constructed");
    expect(() => stream.waitFor({} as NativeEvent)).toThrow("event is [object Object], expected NativeEvent");
    expect(() => stream.synchronize.call({} as NativeStream)).toThrow(TypeError);
    expect(() => addon.open(undefined as never)).toThrow(TypeError);
  });
});
