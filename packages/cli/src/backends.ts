/** The backends the command knows, each a package of its own that may or may not be installed. */
import type { Backend } from "@thalweg/core/backend";

interface KnownBackend {
  readonly name: string;
  readonly package: string;
  /** The exported function that makes the backend. */
  readonly create: string;
  /** What it is, in few words. */
  readonly about: string;
}

const known: readonly KnownBackend[] = [
  { name: "cpu-js", package: "@thalweg/cpu-js", create: "cpu", about: "generated JavaScript, one thread" },
  { name: "wasm", package: "@thalweg/wasm", create: "wasm", about: "WebAssembly SIMD, several threads" },
  { name: "cuda", package: "@thalweg/cuda", create: "cuda", about: "NVIDIA GPUs" },
];

export const backendNames: readonly string[] = known.map(({ name }) => name);

/** A backend that is known but cannot be used here. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/** Starts a backend by name. Throws UnavailableError that says why it cannot be. */
export async function startBackend(name: string): Promise<Backend> {
  const entry = known.find((candidate) => candidate.name === name);
  if (!entry) throw new UnavailableError(`unknown backend ${name}; known are ${backendNames.join(", ")}`);
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = (await import(entry.package)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new UnavailableError(`backend ${name}: ${importFailure(entry.package, error)}`, { cause: error });
  }
  const create = exports[entry.create];
  if (typeof create !== "function") {
    throw new UnavailableError(
      `backend ${name}: package ${entry.package} has no ${entry.create}(); another version is needed`,
    );
  }
  try {
    return (await create()) as Backend;
  } catch (error) {
    throw new UnavailableError(`backend ${name}: ${messageOf(error)}`, { cause: error });
  }
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
      const { description, capabilities } = backend;
      backend.dispose();
      const threads = `${capabilities.threads} thread${capabilities.threads === 1 ? "" : "s"}`;
      statuses.push({ name, about, available: true, detail: `${description}; ${threads}` });
    } catch (error) {
      statuses.push({ name, about, available: false, detail: messageOf(error).replace(`backend ${name}: `, "") });
    }
  }
  return statuses;
}

function importFailure(name: string, error: unknown): string {
  const missing =
    (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND" && messageOf(error).includes(`'${name}'`);
  return missing ? `package ${name} is not installed` : `package ${name} cannot be loaded: ${messageOf(error)}`;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
