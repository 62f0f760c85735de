import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { prebuiltPackages } from "../publish/platforms.ts";
import { leastGlibc, prebuiltManifest } from "../publish/prebuilt.ts";
import { addonFile, platformPackage } from "./native/load.ts";

const own = readFileSync(new URL("../package.json", import.meta.url), "utf8");

it("names its prebuilt packages for as long as it is being published, and then has the same bytes again", () => {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-publish-"));
  try {
    const path = join(folder, "package.json");
    writeFileSync(path, own);
    const script = fileURLToPath(new URL("../publish/optionalDependency.ts", import.meta.url));
    const change = (action: string) => execFileSync(process.execPath, [script, action, path], { stdio: "pipe" });
    change("add");
    const published = JSON.parse(readFileSync(path, "utf8"));
    expect(published).toEqual({
      ...JSON.parse(own),
      optionalDependencies: { "@thalweg/cuda-linux-x64": JSON.parse(own).version },
    });
    change("add");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(published);
    change("remove");
    expect(readFileSync(path, "utf8")).toBe(own);
    expect(() => change("publish")).toThrow("add or remove, got publish");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("keeps other optional dependencies", async () => {
  const { withPrebuilt } = await import("../publish/optionalDependency.ts");
  const text = JSON.stringify({ version: "2.1.0", optionalDependencies: { other: "^1.0.0" } });
  const added = withPrebuilt(text, true);
  expect(JSON.parse(added).optionalDependencies).toEqual({ other: "^1.0.0", "@thalweg/cuda-linux-x64": "2.1.0" });
  expect(JSON.parse(withPrebuilt(added, false))).toEqual(JSON.parse(text));
});

it("looks for the packages that are built", () => {
  expect(prebuiltPackages).toEqual(["@thalweg/cuda-linux-x64"]);
  if (process.platform === "linux" && process.arch === "x64") expect(prebuiltPackages).toContain(platformPackage);
});

it("describes the package of a platform", () => {
  const native = { version: "2.1.0", license: "MIT", author: "someone", engines: { node: ">=22" }, publishConfig: {} };
  expect(prebuiltManifest({ os: "linux", cpu: "x64", libc: "glibc" }, native)).toEqual({
    ...native,
    name: "@thalweg/cuda-linux-x64",
    description: "The addon of @thalweg/cuda, built for linux on x64.",
    os: ["linux"],
    cpu: ["x64"],
    libc: ["glibc"],
    type: "commonjs",
    main: `./${addonFile}`,
    files: [addonFile],
  });
});

it("knows the oldest glibc that will do", () => {
  expect(leastGlibc("\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.4\0GLIBCXX_3.4.30\0")).toBe("2.34");
  expect(leastGlibc("nothing")).toBe("any");
});
