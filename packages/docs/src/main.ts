/** `npm run docs [-- --check]`: writes docs/optimizers, or says whether what is there is up to date. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allPages } from "./pages.ts";

const folder = fileURLToPath(new URL("../../../docs/optimizers/", import.meta.url));
const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

const { pages, shortcomings } = allPages();
const there = await readdir(folder).catch(() => []);
const stale = there.filter((file) => !pages.has(file));
const changed: string[] = [];
for (const [file, text] of pages) {
  if ((await readFile(join(folder, file), "utf8").catch(() => undefined)) !== text) changed.push(file);
}
if (values.check) {
  const behind = [...changed, ...stale];
  if (behind.length > 0)
    console.error(`docs/optimizers is behind the docstrings: ${behind.join(", ")}; run npm run docs`);
  if (behind.length > 0) process.exitCode = 1;
} else {
  await mkdir(folder, { recursive: true });
  for (const file of changed) await writeFile(join(folder, file), pages.get(file) as string);
  for (const file of stale) await rm(join(folder, file));
  console.log(`docs/optimizers: ${changed.length} pages written, ${stale.length} removed, ${pages.size} in all`);
}
for (const line of shortcomings) console.error(line);
if (shortcomings.length > 0) {
  console.error(`${shortcomings.length} docstrings fall short: pages are made from them`);
  process.exitCode = 1;
}
