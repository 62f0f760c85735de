/** `thalweg bench`. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  type BenchReport,
  backendRunner,
  bench,
  type CompileMode,
  compileModes,
  findPeers,
  findWorkloads,
  installPeers,
  isMeant,
  type PeerName,
  peerNames,
  type Runner,
  type TorchDevice,
  torchDevices,
  type Workload,
} from "@thalweg/bench";
import { type Command, InvalidArgumentError, Option } from "commander";
import { backendNames, chooseBackend, defaultBackends, resolveBackend, UnavailableError } from "./backends.ts";
import { benchTable, header, machineLines, missingLines, type TableShape } from "./benchTable.ts";
import type { Io } from "./io.ts";

interface BenchOptions {
  backends?: readonly string[];
  peers?: readonly PeerName[];
  only?: Selection;
  large: boolean;
  threads?: number;
  json: boolean;
  report?: string;
  python?: string;
  device: TorchDevice;
  compileMode?: CompileMode;
  install: boolean;
  list: boolean;
}

/** What `--only` names. */
interface Selection {
  readonly pattern: string;
  readonly workloads: readonly Workload[];
}

/** Adds the command to `parent`; `whole` reads a count. */
export function addBenchCommand(parent: Command, io: Io, whole: (text: string) => number): void {
  const command = parent
    .command("bench")
    .description("measure backends beside each other and beside other libraries")
    .option(
      "--backends <names>",
      `known backends, or paths of modules that export one, separated by commas (default: ${defaultBackends})`,
      list,
    )
    .option(
      "--peers <names>",
      `other libraries: ${peerNames.join(", ")}; missing ones are installed into .peers`,
      peers,
    )
    .option(
      "--only <pattern>",
      "only workloads named by this: * stands for any text (default: all but the largest)",
      only,
    )
    .option("--large", "the large workloads too, on processors as well, where they can take minutes each", false)
    .option(
      "--threads <n>",
      "threads of every runner that can have several (default: each as it does by itself)",
      whole,
    )
    .option("--json", "print one JSON object with the results on stdout", false)
    .option("--report <file>", "write an HTML page with charts")
    .option("--python <path>", "a Python that has torch and numpy, for the peer pytorch")
    .addOption(new Option("--device <name>", "what the peer pytorch computes on").choices(torchDevices).default("cpu"))
    .addOption(
      new Option(
        "--compile-mode <mode>",
        "how torch.compile compiles, for the peer pytorch (default: as by itself)",
      ).choices(compileModes),
    )
    .option("--install", "install the peers named, or all, and end", false)
    .option("--list", "list the workloads, and end", false)
    .action((options: BenchOptions) => runBench(options, io, command));
}

async function runBench(options: BenchOptions, io: Io, command: Command): Promise<void> {
  const peerOptions = {
    device: options.device,
    ...(options.compileMode === undefined ? {} : { compileMode: options.compileMode }),
    ...(options.python === undefined ? {} : { python: options.python }),
    onNotice: (line: string) => io.stderr.write(`${line}\n`),
  };
  if (options.install) return installPeers(options.peers ?? peerNames, peerOptions);
  const { only, large } = options;
  const workloads = only?.workloads ?? findWorkloads(undefined, { large });
  if (options.list) {
    const listed = only?.workloads ?? findWorkloads("*");
    const width = Math.max(...listed.map(({ name }) => name.length));
    for (const { name, about } of listed) io.stdout.write(`${name.padEnd(width)}  ${about}\n`);
    return;
  }
  const backends = await findBackends(options.backends ?? [await chooseBackend(undefined, io)], command);
  // Found out before anything is measured, not after minutes of it.
  if (options.report !== undefined) await mkdir(dirname(resolve(options.report)), { recursive: true });
  const runners = [...backends, ...(await findPeers(options.peers ?? [], peerOptions))];
  const report = await measured(runners, workloads, options, io);
  if (options.json) io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else io.stdout.write(missingLines(report));
  if (options.report !== undefined) {
    await writeReport(options.report, report);
    io.stderr.write(`report: ${options.report}\n`);
  }
}

async function measured(
  runners: readonly Runner[],
  workloads: readonly Workload[],
  { threads, json, only, large }: BenchOptions,
  io: Io,
): Promise<BenchReport> {
  const print = (text: string) => {
    if (!json) io.stdout.write(text);
  };
  const backends = runners.filter(({ kind }) => kind === "backend").map(({ name }) => name);
  const show = progressLine(io);
  const shape: TableShape = { runners, backends, workloads };
  const total = workloads.length;
  let done = 0;
  show("machine");
  try {
    return await bench({
      runners,
      workloads,
      ...(threads === undefined ? {} : { threads }),
      largeOnProcessor: (workload) => large || (only !== undefined && isMeant(only.pattern, workload)),
      on: {
        started(start) {
          show();
          print(`${machineLines(start)}\n${header(shape)}`);
        },
        progress: ({ workload, runner, doing, done: share }) =>
          show(
            `${done + 1}/${total} ${workload}: ${runner} ${doing}${share > 0 ? ` ${Math.round(100 * share)} %` : ""}`,
          ),
        measured(part) {
          show();
          print(benchTable(part, shape));
          done++;
        },
      },
    });
  } finally {
    show();
  }
}

/** Shows a line on a terminal, where the one before was; without text, takes it away. */
function progressLine({ stderr }: Io): (text?: string) => void {
  if (!stderr.isTTY) return () => undefined;
  return (text = "") => stderr.write(`\r\x1b[K${text.slice(0, 100)}`);
}

async function findBackends(specs: readonly string[], command: Command): Promise<Runner[]> {
  const runners: Runner[] = [];
  for (const spec of specs) {
    try {
      runners.push(backendRunner(await resolveBackend(spec)));
    } catch (error) {
      // One that is known may just not be installed; any other name is a wrong question.
      if (!(error instanceof UnavailableError) || backendNames.includes(spec)) throw error;
      command.error(`error: ${error.message}`);
    }
  }
  return runners;
}

/** Whole or not at all: written beside, then put in place. */
async function writeReport(path: string, report: BenchReport): Promise<void> {
  const { htmlReport } = await import("@thalweg/bench/report");
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, await htmlReport(report));
  await rename(draft, path);
}

/** Names between commas, each once. */
function list(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("Expected names separated by commas.");
  return [...new Set(names)];
}

function peers(text: string): PeerName[] {
  return list(text).map((name) => {
    const known = peerNames.find((peer) => peer === name);
    if (!known) throw new InvalidArgumentError(`Unknown peer ${name}; known are ${peerNames.join(", ")}.`);
    return known;
  });
}

function only(text: string): Selection {
  try {
    return { pattern: text, workloads: findWorkloads(text) };
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
