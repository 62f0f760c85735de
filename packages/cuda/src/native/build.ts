/** Builds the addon from its sources, for platforms without a prebuilt binary. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { BackendError } from "@thalweg/core/backend";
import { addonFile, buildFolder, nativeFolder } from "./load.ts";

/**
 * Compiles the addon by cmake-js, which needs CMake and a C++20 compiler but neither a CUDA toolkit nor a GPU, and gives its
 * path. `onOutput` gets what the tools print. Rejects with BackendError when the sources are not installed or a tool fails.
 */
export async function buildAddon(onOutput: (text: string) => void = () => {}): Promise<string> {
  const native = nativeFolder();
  if (!native) throw new BackendError("cuda", "the sources of the addon, @thalweg/cuda-native, are not installed");
  const require = createRequire(join(native, "package.json"));
  let last = "";
  const status = await new Promise<number | string>((resolve) => {
    const child = spawn(process.execPath, [require.resolve("cmake-js/bin/cmake-js"), "build"], { cwd: native });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        last = `${last}${text}`.slice(-4000);
        onOutput(text);
      });
    }
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code ?? signal ?? "killed"));
  });
  const path = join(buildFolder(native), addonFile);
  if (status !== 0 || !existsSync(path))
    throw new BackendError("cuda", `the addon was not built (cmake-js: ${status}):\n${last}`);
  return path;
}
