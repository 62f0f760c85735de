/** `npm run size`: bytes of the packages as a browser's bundle, minified by Vite, raw, gzipped and in Brotli. */
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

/** What each bundle is made from. */
const entries: readonly { readonly name: string; readonly code: string; readonly external?: readonly RegExp[] }[] = [
  { name: "@thalweg/core, all of it", code: `export * from "@thalweg/core";` },
  { name: "@thalweg/wasm, without core", code: `export * from "@thalweg/wasm";`, external: [/^@thalweg\/core/] },
  {
    name: "core + wasm, all of both",
    code: `export * from "@thalweg/core"; export * from "@thalweg/wasm";`,
  },
  {
    name: "core + wasm, what training by hand takes",
    code: `export { compile, grad, manualSeed, Parameter, randn, tensor, useBackend } from "@thalweg/core"; export { wasm } from "@thalweg/wasm";`,
  },
  {
    name: "the README's training script: core, adamW, layers, wasm",
    code: `export { compile, manualSeed, tensor, useBackend } from "@thalweg/core"; export { adamW } from "@thalweg/core/optim"; export { crossEntropy, flatten, linear, relu, sequential } from "@thalweg/nn"; export { wasm } from "@thalweg/wasm";`,
  },
];

/** Stands for the file that a bundle begins with. */
const entry = "virtual:entry";

async function bundled(code: string, external: readonly RegExp[]): Promise<string> {
  const built = (await build({
    configFile: false,
    logLevel: "warn",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
    build: {
      write: false,
      rolldownOptions: {
        input: entry,
        external: [...external],
        preserveEntrySignatures: "strict",
        output: { format: "es" },
      },
    },
  })) as Rolldown.RolldownOutput;
  return built.output.map((part) => (part.type === "chunk" ? part.code : "")).join("");
}

const count = (bytes: number): string => bytes.toLocaleString("en").padStart(9);

process.stdout.write(`${"minified".padStart(9)}${"gzipped".padStart(10)}${"Brotli".padStart(10)}  bytes of\n`);
for (const { name, code, external = [] } of entries) {
  const text = await bundled(code, external);
  const sizes = [Buffer.byteLength(text), gzipSync(text, { level: 9 }).length, brotliCompressSync(text).length];
  process.stdout.write(`${sizes.map(count).join(" ")}  ${name}\n`);
}
