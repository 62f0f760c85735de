/** The backends the command knows, each a package of its own that may or may not be installed. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BackendFactory, BackendOptions } from "@thalweg/conformance";
import type { Backend } from "@thalweg/core/backend";
import type { Io } from "./io.ts";

interface KnownBackend {
  readonly name: string;
  readonly package: string;
  /** The exported function that makes the backend. */
  readonly create: string;
  /** What it is, in few words. */
  readonly about: string;
}

const known: readonly KnownBackend[] = [
  { name: "wasm", package: "@thalweg/wasm", create: "wasm", about: "WebAssembly SIMD, several threads" },
  { name: "cpu-js", package: "@thalweg/cpu-js", create: "cpu", about: "generated JavaScript, one thread" },
  { name: "cuda", package: "@thalweg/cuda", create: "cuda", about: "NVIDIA GPUs" },
];

export const backendNames: readonly string[] = known.map(({ name }) => name);

/** Taken unless one is named: the first of these that can be used here. */
const preferred = ["wasm", "cpu-js"] as const;
export const defaultBackends = `${preferred[0]}; ${preferred[1]} where that cannot be used`;

/** A backend that is known but cannot be used here. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/** Where a backend's constructor is found: what another process needs to make one. */
export interface ResolvedBackend {
  /** The known name, or the path or package as it was given. */
  readonly name: string;
  /** URL. */
  readonly module: string;
  /** Export that makes the backend. */
  readonly create: string;
}

/** What an unknown module may call the function that makes its backend, the first it has. */
const factoryNames = ["default", "backend"];

type Exports = Readonly<Record<string, unknown>>;

/**
 * Finds a backend: one of the known names, the path of a JavaScript module (with a slash or an extension), or a package. A
 * module that is not known exports the function that makes its backend as `default` or `backend`.
 *
 * @throws {UnavailableError} when it cannot be loaded or exports no such function.
 */
export async function resolveBackend(spec: string): Promise<ResolvedBackend> {
  const entry = known.find((candidate) => candidate.name === spec);
  const module = moduleOf(entry?.package ?? spec, entry !== undefined, spec);
  let exports: Exports;
  try {
    exports = (await import(module)) as Exports;
  } catch (error) {
    throw new UnavailableError(`backend ${spec}: ${messageOf(error)}`, { cause: error });
  }
  const create = (entry ? [entry.create] : factoryNames).find((name) => typeof exports[name] === "function");
  if (create !== undefined) return { name: spec, module, create };
  throw new UnavailableError(
    entry
      ? `backend ${spec}: package ${entry.package} has no ${entry.create}(); another version is needed`
      : `backend ${spec}: expected a function exported as ${factoryNames.join(" or ")}, found ${Object.keys(exports).join(", ") || "no exports"}`,
  );
}

/** What the package of a known backend exports. Throws UnavailableError when it is not installed. */
export async function importKnown(name: string): Promise<Exports> {
  const { module } = await resolveBackend(name);
  return (await import(module)) as Exports;
}

function moduleOf(target: string, isKnown: boolean, spec: string): string {
  if (!isKnown && (isAbsolute(target) || /^\.{1,2}[\\/]|\.[cm]?[jt]s$/.test(target))) {
    const path = resolve(target);
    if (!existsSync(path)) throw new UnavailableError(`backend ${spec}: there is no file ${path}`);
    return pathToFileURL(path).href;
  }
  try {
    // A known backend is looked for beside this command, any other package from where the user stands.
    return isKnown
      ? import.meta.resolve(target)
      : pathToFileURL(createRequire(join(process.cwd(), "package.json")).resolve(target)).href;
  } catch (error) {
    const among = isKnown ? "" : `, nor is it a known backend (${backendNames.join(", ")}) or a path`;
    throw new UnavailableError(`backend ${spec}: package ${target} is not installed${among}`, { cause: error });
  }
}

/** The function that makes a backend. */
export async function backendFactory({ name, module, create }: ResolvedBackend): Promise<BackendFactory> {
  const make = ((await import(module)) as Exports)[create] as BackendFactory;
  return async (options) => {
    try {
      return await make(options);
    } catch (error) {
      throw new UnavailableError(`backend ${name}: ${messageOf(error)}`, { cause: error });
    }
  };
}

/** Starts a backend by name or path. Throws UnavailableError that says why it cannot be. */
export async function startBackend(spec: string, options?: BackendOptions): Promise<Backend> {
  return (await backendFactory(await resolveBackend(spec)))(options);
}

/**
 * What was asked for, or else the first of the preferred that starts; why it is not an earlier one is said on stderr. Throws
 * UnavailableError when none does.
 */
export async function chooseBackend(spec: string | undefined, { stderr }: Io): Promise<string> {
  if (spec !== undefined) return spec;
  const reasons: UnavailableError[] = [];
  for (const name of preferred) {
    try {
      (await startBackend(name, { threads: 1 })).dispose();
      for (const { message } of reasons) stderr.write(`${message}; ${name} is used instead\n`);
      return name;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      reasons.push(error);
    }
  }
  throw new UnavailableError(reasons.map(({ message }) => message).join("\n"));
}

export const threadsOption = [
  "--threads <n>",
  "threads to compute with, where the backend can have several (default: the cores there are)",
] as const;

/** For a backend's constructor. */
export const backendOptions = ({ threads }: { readonly threads?: number }): BackendOptions =>
  threads === undefined ? {} : { threads };

/** What it says of itself, and its threads, which not every backend that computes on the processor mentions. */
export function describe({ description, capabilities: { threads, asynchronous } }: Backend): string {
  if (asynchronous) return description;
  const count = `${threads} thread${threads === 1 ? "" : "s"}`;
  return description.includes(count) ? description : `${description}; ${count}`;
}

export interface BackendStatus {
  readonly name: string;
  readonly about: string;
  readonly available: boolean;
  /** Versions, device and engine when available, else why it is not. */
  readonly detail: string;
}

/** Tries every known backend, starting and disposing it. */
export async function probeBackends(): Promise<BackendStatus[]> {
  const statuses: BackendStatus[] = [];
  for (const { name, about } of known) {
    try {
      const backend = await startBackend(name);
      backend.dispose();
      statuses.push({ name, about, available: true, detail: describe(backend) });
    } catch (error) {
      statuses.push({ name, about, available: false, detail: messageOf(error).replace(`backend ${name}: `, "") });
    }
  }
  return statuses;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
