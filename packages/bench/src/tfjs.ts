/**
 * `npm run bench:tfjs [-- workload …]`: Thalweg against TensorFlow.js on its cpu backend, which is installed first if it
 * is not there, into the ignored folder .peers/tfjs. Prints a table, and everything as JSON with `--json`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, version as kernel, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { PeerName } from "./child.ts";
import { type Measurement, measure, PeerProcess } from "./compare.ts";
import { type WorkloadName, workloadNames, workloads } from "./workloads.ts";

const tfjsVersion = "4.22.0";
const folder = fileURLToPath(new URL("../../../.peers/tfjs", import.meta.url));

function installTfjs(): void {
  const installed = `${folder}/node_modules/@tensorflow/tfjs/package.json`;
  if (
    existsSync(installed) &&
    (JSON.parse(readFileSync(installed, "utf8")) as { version: string }).version === tfjsVersion
  )
    return;
  mkdirSync(folder, { recursive: true });
  // A package of its own, so that npm does not look for a workspace above.
  if (!existsSync(`${folder}/package.json`)) writeFileSync(`${folder}/package.json`, '{ "private": true }\n');
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = [
    "install",
    "--prefix",
    folder,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    `@tensorflow/tfjs@${tfjsVersion}`,
  ];
  execFileSync(npm, args, { cwd: folder, stdio: ["ignore", process.stderr, process.stderr] });
}

function parse(args: readonly string[]): {
  chosen: readonly WorkloadName[];
  peers: readonly PeerName[];
  json: boolean;
} {
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = names.filter((name) => !Object.hasOwn(workloads, name));
  const flags = args.filter((arg) => arg.startsWith("--"));
  const strange = flags.filter((flag) => !["--json", "--only=thalweg", "--only=tfjs"].includes(flag));
  if (unknown.length > 0 || strange.length > 0) {
    const wrong = [...unknown, ...strange].join(", ");
    throw new Error(
      `unknown: ${wrong}; workloads are ${workloadNames.join(", ")}; options are --json, --only=thalweg, --only=tfjs`,
    );
  }
  const only = flags.find((flag) => flag.startsWith("--only="))?.slice("--only=".length) as PeerName | undefined;
  return {
    chosen: names.length > 0 ? (names as WorkloadName[]) : workloadNames,
    peers: only ? [only] : ["thalweg", "tfjs"],
    json: flags.includes("--json"),
  };
}

function machine(): string {
  const processors = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${processors[0]?.model ?? "unknown processor"}, ${processors.length} cores, ${memory}; ${kernel()}; Node ${process.version}`;
}

const format = (milliseconds: number): string =>
  milliseconds < 1 ? `${(1000 * milliseconds).toFixed(2)} µs` : `${milliseconds.toFixed(2)} ms`;

function row({ workload, results }: Measurement): string {
  const [ours, theirs] = results;
  const times = results.map((result) =>
    result ? `${format(result.median)} (${format(result.least)} … ${format(result.most)})` : "-",
  );
  const ratio = ours && theirs ? `${(theirs.median / ours.median).toFixed(1)}×` : "-";
  const goal = workload.goal === undefined ? "-" : `≥ ${workload.goal}×`;
  return `| ${[workload.name, ...times, ...(results.length > 1 ? [ratio, goal] : [])].join(" | ")} |`;
}

const { chosen, peers: peerNames, json } = parse(process.argv.slice(2));
if (peerNames.includes("tfjs")) installTfjs();
const peers: PeerProcess[] = [];
try {
  for (const name of peerNames) peers.push(await PeerProcess.launch(name, folder));
  const lines = [`machine: ${machine()}`, ...peers.map(({ name, description }) => `${name}: ${description}`)];
  const head = ["workload", ...peers.map(({ name }) => name), ...(peers.length > 1 ? ["ratio", "goal"] : [])];
  lines.push(
    "time of one run, median (least … most)",
    "",
    `| ${head.join(" | ")} |`,
    `|${" --- |".repeat(head.length)}`,
  );
  if (!json) process.stdout.write(`${lines.join("\n")}\n`);
  const measurements: Measurement[] = [];
  for (const name of chosen) {
    const measurement = await measure({ name, ...workloads[name] }, peers);
    measurements.push(measurement);
    if (!json) process.stdout.write(`${row(measurement)}\n`);
  }
  if (json) {
    const about = peers.map(({ name, description }) => ({ name, description }));
    process.stdout.write(`${JSON.stringify({ machine: machine(), peers: about, measurements })}\n`);
  }
} finally {
  for (const peer of peers) peer.stop();
}
