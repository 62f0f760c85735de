import { existsSync, readdirSync } from "node:fs";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Tests run on the sources: the condition makes one package find another's src rather than its dist.
const conditions = ["@thalweg/source", ...defaultServerConditions];
const projects = ["packages", "examples"].flatMap((folder) =>
  readdirSync(new URL(folder, import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, root: `${folder}/${name}` })),
);
// .ci/run names a file here and counts the results in it.
const report = process.env.THALWEG_TEST_REPORT;

export default defineConfig({
  test: {
    // One worker a core: by itself vitest would leave one core of two idle.
    maxWorkers: "100%",
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: projects.map(({ name, root }) => ({
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: {
        name,
        root,
        include: ["src/**/*.test.ts"],
        // What a package's tests need made before them.
        globalSetup: existsSync(new URL(`${root}/src/testSetup.ts`, import.meta.url)) ? ["src/testSetup.ts"] : [],
        environment: "node",
        testTimeout: 30_000,
        // Backends allocate through FinalizationRegistry; memory tests need a collector they can call.
        execArgv: ["--expose-gc"],
      },
    })),
  },
});
