import { useBackend } from "@thalweg/core";
import type { Backend } from "@thalweg/core/backend";
import { cpuSync } from "@thalweg/cpu-js";
import { expect, it } from "vitest";
import { devicePeaks } from "./devicePeaks.ts";
import { thalwegRunner } from "./index.ts";

/** The backend with some of its parts replaced. */
const varied = (backend: Backend, parts: Partial<Backend>): Backend => ({
  name: "varied",
  description: "",
  capabilities: { ...backend.capabilities, blocking: false },
  allocate: (dtype, size) => backend.allocate(dtype, size),
  write: (buffer, data) => backend.write(buffer, data),
  read: (buffer) => backend.read(buffer),
  free: (buffer) => backend.free(buffer),
  compile: (program) => backend.compile(program),
  run: (executable, buffers, uniforms) => backend.run(executable, buffers, uniforms),
  memory: () => backend.memory(),
  dispose: () => backend.dispose(),
  ...parts,
});

const small = { copied: 1000, sizes: [8, 16], milliseconds: 5 };

it("copies, multiplies in every arithmetic there is", async () => {
  const backend = cpuSync();
  useBackend(backend);
  let disposed = false;
  const makeTf32 = () =>
    varied(cpuSync(), {
      dispose() {
        disposed = true;
      },
    });
  const { copyGbps, gflops } = await devicePeaks(backend, makeTf32, small);
  expect(Object.keys(gflops).sort()).toEqual(["bfloat16", "float32", "tf32"]);
  for (const figure of [copyGbps, ...Object.values(gflops)]) expect(figure).toBeGreaterThan(0);
  expect(disposed).toBe(true);
});

it("finds a backend that does not copy", async () => {
  const backend = cpuSync();
  const broken = varied(backend, { run: () => undefined });
  useBackend(broken);
  await expect(devicePeaks(broken, undefined, small)).rejects.toThrow("a copy gave 0 and 0 at its ends");
});

it("is told of a backend that says it has a device, and of no other", () => {
  const backend = cpuSync();
  const capabilities = { ...backend.capabilities, device: "A GPU" };
  const onDevice = thalwegRunner(varied(backend, { capabilities }));
  expect(onDevice.device).toBe("A GPU");
  expect(onDevice.deviceBytes?.()).toBeGreaterThanOrEqual(0);
  const { device, limits, deviceBytes } = thalwegRunner(backend);
  expect([device, limits, deviceBytes]).toEqual([undefined, undefined, undefined]);
});
