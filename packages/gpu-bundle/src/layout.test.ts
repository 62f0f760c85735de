import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { bundledManifest, bundledPackages, entriesOf, placeOf } from "./layout.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const source = (path: string): string => join(root, "packages", ...path.split("/"));
const entries = (folder: string): Map<string, string> => {
  const found = bundledPackages.find((bundled) => bundled.folder === folder);
  if (!found) throw new Error(`expected ${folder}`);
  return entriesOf(root, found);
};

it("gives files to what is exported and what is started, where an installation has them", () => {
  expect(entries("bench")).toEqual(
    new Map([
      [source("bench/src/index.ts"), "node_modules/@thalweg/bench/dist/index.js"],
      [source("bench/src/report/htmlReport.ts"), "node_modules/@thalweg/bench/dist/report/htmlReport.js"],
      [source("bench/src/runners/child.ts"), "node_modules/@thalweg/bench/dist/runners/child.js"],
      [source("bench/src/runners/firstRun.ts"), "node_modules/@thalweg/bench/dist/runners/firstRun.js"],
      [source("bench/src/limits/main.ts"), "node_modules/@thalweg/bench/dist/limits/main.js"],
    ]),
  );
  // What its executable imports.
  expect(entries("cli")).toEqual(new Map([[source("cli/src/main.ts"), "node_modules/thalweg/dist/main.js"]]));
});

it("knows the place of every module of the packages it holds", () => {
  expect(placeOf(root, source("bench/src/process.ts"))).toBe("node_modules/@thalweg/bench/dist/process.js");
  expect(placeOf(root, source("docs/src/main.ts"))).toBeUndefined();
  expect(placeOf(root, source("bench/test/fakeRunner.mjs"))).toBeUndefined();
  expect(placeOf(root, join(root, "node_modules", "commander", "index.js"))).toBeUndefined();
});

it("leaves sources and types out of a manifest", () => {
  const exports = {
    ".": { "@thalweg/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./package.json": "./package.json",
  };
  expect(bundledManifest({ name: "a", version: "1.2.3", exports })).toEqual({
    ...{ name: "a", version: "1.2.3", type: "module" },
    exports: { ".": "./dist/index.js", "./package.json": "./package.json" },
  });
});
