import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const emulation = fileURLToPath(new URL("../../../../native/cuda/emulation/", import.meta.url));
const library = join(emulation, "../build/Release/libthalweg_emulated_cuda.so");
const hasCompiler = process.platform === "linux" && spawnSync("g++", ["--version"]).status === 0;

// The emulation is what all other tests of this package stand on, so it is tested by itself, by programs that say "ok".
describe.skipIf(!hasCompiler)("the emulation", () => {
  const folder = hasCompiler ? mkdtempSync(join(tmpdir(), "thalweg-emulation-test-")) : "";
  afterAll(() => {
    if (hasCompiler) rmSync(folder, { recursive: true });
  });

  const run = (command: string, args: readonly string[]): string => {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", cwd: emulation });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error ?? ""}${stdout}${stderr}`);
    return stdout;
  };
  const build = (name: string, args: readonly string[]): string => {
    const program = join(folder, name);
    run("g++", ["-std=c++20", "-Wall", "-Wextra", "-Werror", ...args, `test/${name}.cc`, "-o", program]);
    return program;
  };
  const kernels = ["-ffp-contract=off", "-fno-strict-aliasing", "-DTHALWEG_EMULATION", "-include", "emulation.h"];

  it("runs blocks, barriers, shuffles, votes and atomics as CUDA does, in every order", { timeout: 300_000 }, () => {
    expect(run(build("together", [...kernels, "launch.cc"]), [])).toBe("ok\n");
  });

  it("says where and why a launch goes wrong", { timeout: 300_000 }, () => {
    expect(run(build("faults", [...kernels, "launch.cc"]), [])).toBe("ok\n");
  });

  it.skipIf(!existsSync(library))(
    "has a driver, NVRTC and cuBLASLt that check what they are told",
    { timeout: 300_000 },
    () => {
      const args = [
        `-L${dirname(library)}`,
        `-Wl,-rpath,${dirname(library)}`,
        "-Wl,--no-as-needed",
        "-lthalweg_emulated_cuda",
      ];
      expect(run(build("driver", args), [])).toBe("ok\n");
    },
  );
});
