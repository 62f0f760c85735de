import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { libraryCandidates } from "./candidates.ts";

let root: string;
const put = (...path: string[]): string => {
  const file = join(root, ...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "");
  return file;
};
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thalweg-candidates-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const emulation = "/addon/libthalweg_emulated_cuda.so";

it("takes what was asked for alone: option before environment", () => {
  const environment = { THALWEG_CUDA_DRIVER: "/env/cuda", THALWEG_NVRTC: "/env/nvrtc", THALWEG_CUBLASLT: "/env/lt" };
  expect(libraryCandidates({ nvrtc: "/option/nvrtc" }, environment, emulation)).toEqual({
    driver: ["/env/cuda"],
    nvrtc: ["/option/nvrtc"],
    cublasLt: ["/env/lt"],
  });
});

it("takes the emulation for all three", () => {
  for (const [options, environment] of [
    [{ driver: "emulated" }, {}],
    [{}, { THALWEG_CUDA_DRIVER: "emulated" }],
  ] as const) {
    expect(libraryCandidates(options, environment, emulation)).toEqual({
      driver: [emulation],
      nvrtc: [emulation],
      cublasLt: [emulation],
    });
  }
});

it("looks in toolkits, then in Python's wheels, newest first, then asks the loader", () => {
  const toolkit = put("toolkit/lib64/libnvrtc.so.12");
  const wheels = ["libnvrtc.so.13", "libnvrtc.so.12"].map((name) =>
    put("venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib", name),
  );
  put("venv/bin/python3");
  const environment = { CUDA_HOME: join(root, "toolkit"), PATH: `/nowhere:${join(root, "venv/bin")}` };
  const { nvrtc, driver } = libraryCandidates({}, environment, emulation);
  // Whatever this machine has in /usr/local stands between.
  const own = nvrtc.filter((path) => !path.startsWith("/usr/local/"));
  expect(own).toEqual([toolkit, ...wheels, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]);
  expect(driver.slice(0, 2)).toEqual(["libcuda.so.1", "libcuda.so"]);
});
