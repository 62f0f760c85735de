/**
 * `npm run prebuilt`: builds the addon for this platform and puts it into a package of its own, in
 * native/cuda/prebuilt/cuda-linux-x64, ready for `npm publish`. It is no workspace: npm refuses those of another platform.
 * It runs where glibc is as new as here, or newer: a release is built on the oldest system that it is to serve.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { addonFile, nativeFolder } from "../src/native/load.ts";
import { type Platform, packageName, platforms } from "./platforms.ts";

const native = nativeFolder() as string;
const build = join(native, "build/prebuilt");

/** The parts of the C++ library that are used go into the addon: which one the system has does not matter. */
const linkerFlags = "-static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL -Wl,--gc-sections -s";

function compile(): string {
  const cmake = createRequire(join(native, "package.json")).resolve("cmake-js/bin/cmake-js");
  const flags = ["--CDTHALWEG_WERROR=ON", `--CDCMAKE_MODULE_LINKER_FLAGS=${linkerFlags}`];
  const args = [cmake, "compile", "--out", build, "--target", "thalweg_cuda", ...flags];
  // cmake-js keeps the options of an earlier build.
  rmSync(build, { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, args, { cwd: native, stdio: "inherit" });
  if (status !== 0) throw new Error(`cmake-js failed (${status})`);
  return join(build, "Release", addonFile);
}

const compareVersions = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

/** The oldest glibc that has every function a library asks for. */
export const leastGlibc = (library: string): string =>
  [...library.matchAll(/\bGLIBC_(\d+\.\d+)/g)]
    .map(([, version]) => version as string)
    .sort(compareVersions)
    .at(-1) ?? "any";

interface NativeManifest {
  readonly version: string;
  readonly license: string;
  readonly author: string;
  readonly engines: object;
  readonly publishConfig: object;
}

/** What package.json of a platform's package says. */
export function prebuiltManifest(platform: Platform, native: NativeManifest): object {
  const { os, cpu, libc } = platform;
  const { version, license, author, engines, publishConfig } = native;
  return {
    name: packageName(platform),
    version,
    description: `The addon of @thalweg/cuda, built for ${os} on ${cpu}.`,
    license,
    author,
    engines,
    os: [os],
    cpu: [cpu],
    libc: [libc],
    type: "commonjs",
    main: `./${addonFile}`,
    files: [addonFile],
    publishConfig,
  };
}

const readme = (platform: Platform, glibc: string): string => `# ${packageName(platform)}

The addon of [\`@thalweg/cuda\`](https://www.npmjs.com/package/@thalweg/cuda), built for ${platform.os} on ${platform.cpu} with glibc ${glibc} or later. It comes with that
package where it fits; there is no reason to install it by itself.
`;

/** Gives the folder. */
function assemble(platform: Platform, addon: string): string {
  const folder = join(native, "prebuilt", packageName(platform).replace("@thalweg/", ""));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(native, "package.json"), "utf8")) as NativeManifest;
  const glibc = leastGlibc(readFileSync(addon, "latin1"));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(prebuiltManifest(platform, manifest), null, 2)}\n`);
  writeFileSync(join(folder, "README.md"), readme(platform, glibc));
  copyFileSync(join(native, "LICENSE"), join(folder, "LICENSE"));
  copyFileSync(addon, join(folder, addonFile));
  return folder;
}

function main(): void {
  const platform = platforms.find(({ os, cpu }) => os === process.platform && cpu === process.arch);
  if (!platform) throw new Error(`nothing is built beforehand for ${process.platform} on ${process.arch}`);
  console.log(assemble(platform, compile()));
}

if (import.meta.main) main();
