/** The libraries that Thalweg is measured against: found, or installed on demand into a folder of their own. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Runner } from "./measure.ts";
import { runnerLaunch } from "./process.ts";

/** An npm package of a peer, pinned so that figures can be repeated. */
interface NpmPeer {
  /** Below the folder of peers; two peers may share one. */
  readonly folder: string;
  readonly packages: Readonly<Record<string, string>>;
  /** For its runner's `load`, beside the folder. */
  readonly options: Readonly<Record<string, unknown>>;
}

const tfjs: Pick<NpmPeer, "folder" | "packages"> = {
  folder: "tfjs",
  packages: { "@tensorflow/tfjs": "4.22.0", "@tensorflow/tfjs-backend-wasm": "4.22.0" },
};

const npmPeers = {
  "tfjs-cpu": { ...tfjs, options: { runner: "tfjs", backend: "cpu" } },
  "tfjs-wasm": { ...tfjs, options: { runner: "tfjs", backend: "wasm" } },
  "jax-js": { folder: "jax-js", packages: { "@jax-js/jax": "0.1.25" }, options: { runner: "jax-js" } },
} as const satisfies Record<string, NpmPeer>;

const pythonPackages = ["torch==2.13.0", "numpy"] as const;

/** PyTorch at its best; with its optimizers in one form each; as CUDA graphs; by torch.compile. With their options for `load`. */
const pythonPeers = {
  pytorch: {},
  "pytorch-eager": { form: "eager" },
  "pytorch-foreach": { form: "foreach" },
  "pytorch-fused": { form: "fused" },
  "pytorch-cudagraph": { form: "cudagraph" },
  "pytorch-compile": { form: "compile" },
} as const satisfies Record<string, Readonly<Record<string, unknown>>>;

type NpmPeerName = keyof typeof npmPeers;
type PythonPeerName = keyof typeof pythonPeers;
export type PeerName = NpmPeerName | PythonPeerName;
export const peerNames: readonly PeerName[] = [
  ...(Object.keys(npmPeers) as NpmPeerName[]),
  ...(Object.keys(pythonPeers) as PythonPeerName[]),
];
const isPython = (name: PeerName): name is PythonPeerName => Object.hasOwn(pythonPeers, name);

export const torchDevices = ["cpu", "cuda"] as const;
export type TorchDevice = (typeof torchDevices)[number];

/** Modes of torch.compile, as PyTorch names them. */
export const compileModes = ["default", "max-autotune-no-cudagraphs", "reduce-overhead", "max-autotune"] as const;
export type CompileMode = (typeof compileModes)[number];

/** A peer that is not there and cannot be installed by itself, or whose installation failed. */
export class PeerError extends Error {
  override readonly name = "PeerError";
}

export interface PeerOptions {
  /** Where peers are installed. Default `.peers` in the working directory. */
  readonly folder?: string;
  /** The Python for PyTorch. Default: the one installed in the folder, else one of the path that has torch. */
  readonly python?: string;
  /** What PyTorch computes on. Default cpu. */
  readonly device?: TorchDevice;
  /** How torch.compile compiles. Default: as it does by itself. */
  readonly compileMode?: CompileMode;
  /** Told, in a line each, what is installed, and with what. */
  readonly onNotice?: (line: string) => void;
}

/** Finds peers, and installs missing ones that come from npm. Throws PeerError for a PyTorch that is not found. */
export async function findPeers(names: readonly PeerName[], options: PeerOptions = {}): Promise<Runner[]> {
  const runners: Runner[] = [];
  for (const name of names) {
    runners.push(isPython(name) ? await findPytorch(name, options) : await findNpmPeer(name, options));
  }
  return runners;
}

/** Installs peers, those from npm and PyTorch too, where they are not there already. Throws PeerError. */
export async function installPeers(names: readonly PeerName[], options: PeerOptions = {}): Promise<void> {
  for (const name of names) {
    if (isPython(name)) await installPytorch(options);
    else await findNpmPeer(name, options);
  }
}

const folderOf = ({ folder = ".peers" }: PeerOptions, name: string): string => resolve(folder, name);

async function findNpmPeer(name: NpmPeerName, options: PeerOptions): Promise<Runner> {
  const peer: NpmPeer = npmPeers[name];
  const folder = folderOf(options, peer.folder);
  if (!(await hasPackages(folder, peer.packages))) await installPackages(folder, peer.packages, options);
  return { name, kind: "peer", launch: runnerLaunch, options: { ...peer.options, folder } };
}

/** Whether exactly these versions are there. */
async function hasPackages(folder: string, packages: NpmPeer["packages"]): Promise<boolean> {
  for (const [name, version] of Object.entries(packages)) {
    const path = join(folder, "node_modules", name, "package.json");
    const found = await readFile(path, "utf8").catch(() => undefined);
    if (found === undefined || (JSON.parse(found) as { version: string }).version !== version) return false;
  }
  return true;
}

async function installPackages(
  folder: string,
  packages: NpmPeer["packages"],
  { onNotice }: PeerOptions,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  // A package of its own: npm then looks for no other above, and what is written here is all there is.
  const manifest = { private: true, dependencies: packages };
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const list = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  onNotice?.(`installing ${list.join(" ")} into ${folder}`);
  const args = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
  await runToEnd("npm", args, folder);
}

/** The Python of a virtual environment. */
function pythonIn(folder: string): string {
  return process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

async function findPytorch(name: PythonPeerName, options: PeerOptions): Promise<Runner> {
  const installed = pythonIn(folderOf(options, "pytorch"));
  const candidates = options.python
    ? [options.python]
    : [...(existsSync(installed) ? [installed] : []), "python3", "python"];
  const reasons: string[] = [];
  for (const python of candidates) {
    const problem = await whyNotTorch(python);
    if (problem === undefined) {
      const script = fileURLToPath(new URL("../src/runners/pytorch.py", import.meta.url));
      const { device = "cpu", compileMode } = options;
      const load = {
        ...pythonPeers[name],
        ...(device === "cpu" ? {} : { device }),
        ...(compileMode === undefined ? {} : { compileMode }),
      };
      return { name, kind: "peer", launch: { command: python, args: ["-u", script] }, options: load };
    }
    reasons.push(`${python}: ${problem}`);
  }
  const found = reasons.map((reason) => `\n  ${reason}`).join("");
  throw new PeerError(
    `pytorch: no Python with torch and numpy was found; name one with --python PATH, or install it with: thalweg bench --install --peers pytorch${found}`,
  );
}

/** Why this Python cannot run PyTorch; undefined when it can. */
async function whyNotTorch(python: string): Promise<string | undefined> {
  try {
    await promisify(execFile)(python, ["-c", "import numpy, torch"]);
    return undefined;
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT") return "not found";
    return stderr?.trim().split("\n").at(-1) || message;
  }
}

async function installPytorch(options: PeerOptions): Promise<void> {
  const folder = folderOf(options, "pytorch");
  const python = pythonIn(folder);
  if (existsSync(python) && (await whyNotTorch(python)) === undefined) return;
  options.onNotice?.(`installing ${pythonPackages.join(" ")} into ${folder}`);
  await mkdir(folder, { recursive: true });
  await runToEnd(options.python ?? "python3", ["-m", "venv", folder], folder);
  await runToEnd(python, ["-m", "pip", "install", "--quiet", ...pythonPackages], folder);
}

/** Runs a program whose output, all of it, goes to standard error. Throws PeerError unless it ends well. */
function runToEnd(command: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((done, fail) => {
    // npm is a batch file on Windows, which only a shell runs.
    const shell = process.platform === "win32";
    const child = spawn(command, args, { cwd, shell, stdio: ["ignore", process.stderr, process.stderr] });
    const line = [command, ...args].join(" ");
    child.on("error", (error) => fail(new PeerError(`${line}: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) done();
      else fail(new PeerError(`${line}: ended with code ${code}`));
    });
  });
}
