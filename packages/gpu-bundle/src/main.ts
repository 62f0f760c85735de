/**
 * `npm run bundle:gpu -- [--node PATH] [--golden FOLDER] [--out FOLDER] [--without-addon]`: everything that a machine with a
 * GPU needs to run conformance and benchmarks, in one folder that wants nothing installed but Node and a driver.
 */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildAddon } from "@thalweg/cuda";
import { build } from "./build.ts";

/** What can still be carried to a machine by hand. */
const mostBytes = 64 * 2 ** 20;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const { values: options } = parseArgs({
  options: {
    node: { type: "string" },
    golden: { type: "string" },
    out: { type: "string", default: join(root, ".bundle", "gpu") },
    "without-addon": { type: "boolean", default: false },
  },
});

async function findAddon(): Promise<string> {
  const built = join(root, "native", "cuda", "build", "Release", "thalweg_cuda.node");
  if (existsSync(built)) return built;
  process.stderr.write("the addon is not built; building it\n");
  return buildAddon((text) => process.stderr.write(text));
}

const folder = resolve(options.out);
const addon = options["without-addon"] ? undefined : await findAddon();
const bytes = await build({
  root,
  folder,
  ...(addon === undefined ? {} : { addon }),
  ...(options.node === undefined ? {} : { node: options.node }),
  ...(options.golden === undefined ? {} : { golden: options.golden }),
});
const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
if (bytes > mostBytes) {
  process.stderr.write(`${folder} has ${size}, more than ${mostBytes / 2 ** 20} MiB\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`${folder}: ${size}\n`);
  process.stdout.write(`run it with: ${relative(process.cwd(), join(folder, "run.sh"))} --python PATH\n`);
}
