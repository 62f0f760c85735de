import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeviceInfo, LoadedLibrary, NativeLibraries } from "./addon.ts";
import { CudaUnavailableError, emulationFile, interfaceVersion, loadLibraries, requireDevice } from "./load.ts";

const found: LoadedLibrary = { path: "found", tried: [] };
const librariesWith = (...devices: readonly Partial<DeviceInfo>[]): NativeLibraries =>
  ({ driver: found, nvrtc: found, cublasLt: { tried: [] }, devices: () => devices }) as unknown as NativeLibraries;

it("takes devices that have what kernels are written with", () => {
  const devices = [
    { ordinal: 0, name: "NVIDIA T4", architecture: 75 },
    { ordinal: 1, name: "NVIDIA A100", architecture: 80 },
  ];
  const loaded = { libraries: librariesWith(...devices), addon: "addon" };
  expect(() => requireDevice(loaded, 1)).not.toThrow();
  expect(() => requireDevice(loaded, 0)).toThrow("NVIDIA T4 has compute capability 7.5, kernels need 8.0");
  expect(() => requireDevice(loaded, 2)).toThrow("there is no device 2; there are 0 (NVIDIA T4), 1 (NVIDIA A100)");
  expect(() => requireDevice({ ...loaded, libraries: librariesWith() }, 0)).toThrow("sees no device");
});

describe("the addon", () => {
  let folder = "";
  /** A file that says of itself what an addon would. */
  const addonOf = (name: string, text: string): string => {
    const path = join(folder, name, "addon.cjs");
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  /** Gives back what it is asked for. */
  const telling = `module.exports = { interfaceVersion: ${interfaceVersion}, open: (candidates) => candidates }`;
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "thalweg-load-")));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const refusal = (addon: string): readonly { readonly path: string; readonly error: string }[] => {
    try {
      loadLibraries({ addon });
    } catch (error) {
      expect(error).toBeInstanceOf(CudaUnavailableError);
      expect((error as Error).message).toMatch(/^cuda: the addon was not found. Looked for\n {2}/);
      return (error as CudaUnavailableError).tried;
    }
    throw new Error("it was loaded");
  };

  it("says why a file cannot be it", () => {
    const [missing, broken, old] = [
      join(folder, "none.node"),
      addonOf("broken", "throw new Error('no such symbol')"),
      addonOf("old", `exports.interfaceVersion = ${interfaceVersion - 1}`),
    ];
    expect(refusal(missing)).toEqual([{ path: missing, error: "no such file" }]);
    expect(refusal(broken)).toEqual([{ path: broken, error: "no such symbol" }]);
    expect(refusal(old)).toEqual([
      { path: old, error: `speaks interface ${interfaceVersion - 1}, expected ${interfaceVersion}` },
    ]);
  });

  it("is asked for what the environment and the options name", () => {
    const addon = addonOf("whole", telling);
    const environment = { THALWEG_CUDA_ADDON: addon, THALWEG_CUDA_DRIVER: "driver", THALWEG_NVRTC: "nvrtc" };
    const loaded = loadLibraries({ cublasLt: "cublasLt" }, environment);
    expect(loaded).toEqual({
      addon,
      libraries: { driver: ["driver"], nvrtc: ["nvrtc"], cublasLt: ["cublasLt"] },
    });
  });

  it("is emulated by the library beside it", () => {
    const addon = addonOf("emulated", telling);
    const beside = join(folder, "emulated", emulationFile);
    writeFileSync(beside, "");
    const { libraries } = loadLibraries({ addon }, { THALWEG_CUDA_DRIVER: "emulated" });
    expect(libraries).toEqual({ driver: [beside], nvrtc: [beside], cublasLt: [beside] });
  });
});

it("repeats no path that the loader has said", () => {
  const tried = [
    { path: "libcuda.so", error: "libcuda.so: cannot open shared object file" },
    { path: "/usr/lib/libcuda.so", error: "cuInit: CUDA_ERROR_NO_DEVICE" },
  ];
  expect(new CudaUnavailableError("nothing. Looked for", tried).message).toBe(
    [
      "cuda: nothing. Looked for",
      "  libcuda.so: cannot open shared object file",
      "  /usr/lib/libcuda.so: cuInit: CUDA_ERROR_NO_DEVICE",
    ].join("\n"),
  );
});
