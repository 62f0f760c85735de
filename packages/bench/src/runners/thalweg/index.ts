/** Thalweg on any of its backends, which is imported from a module that the options name. */
import { createRequire } from "node:module";
import { useBackend } from "@thalweg/core";
import type { Backend } from "@thalweg/core/backend";
import type { WorkloadSpec } from "../../spec.ts";
import { type LoadOptions, type Refusal, type Runner, type Session, textOption } from "../session.ts";
import { devicePeaks } from "./devicePeaks.ts";
import { elementwiseSession, layerNormSession, matmulSession, softmaxSession } from "./operations.ts";
import { cnnSession, gptSession, mlpSession } from "./training.ts";
import { updateSession } from "./updates.ts";

/** `precision` is for a backend whose device has several for float32 products; others do not know it. */
interface CreateOptions {
  readonly threads?: number;
  readonly precision?: "tf32";
}
type Create = (options: CreateOptions) => Promise<Backend> | Backend;

/** Options: `module`, a package's name or a file's URL, and `create`, its function that makes the backend. */
export async function loadThalweg({ threads, options }: LoadOptions): Promise<Runner> {
  const [module, name] = [textOption(options, "module"), textOption(options, "create")];
  const create = ((await import(module)) as Readonly<Record<string, unknown>>)[name];
  if (typeof create !== "function") throw new Error(`${module} has no function ${name}`);
  const given = threads === undefined ? {} : { threads };
  const make = async (more?: CreateOptions): Promise<Backend> => (create as Create)({ ...given, ...more });
  return thalwegRunner(await make(), make);
}

/** Thalweg on `backend`, which becomes the current one. `make` gives others of its kind. */
export function thalwegRunner(backend: Backend, make?: (options: CreateOptions) => Promise<Backend> | Backend): Runner {
  const { version } = createRequire(import.meta.url)("@thalweg/core/package.json") as { version: string };
  useBackend(backend);
  const { threads, device } = backend.capabilities;
  const runner: Runner = {
    description: `thalweg ${version}, ${backend.name}: ${backend.description}`,
    threads,
    start,
  };
  if (device === undefined) return runner;
  return {
    ...runner,
    device,
    deviceBytes() {
      const { bufferBytes, arenaBytes } = backend.memory();
      return bufferBytes + arenaBytes;
    },
    limits: () => devicePeaks(backend, make && (() => make({ precision: "tf32" }))),
  };
}

function start(spec: WorkloadSpec): Session | Refusal {
  switch (spec.kind) {
    case "matmul":
      return matmulSession(spec);
    case "elementwise":
      return elementwiseSession(spec);
    case "softmax":
      return softmaxSession(spec);
    case "layerNorm":
      return layerNormSession(spec);
    case "mlp":
      return mlpSession(spec);
    case "cnn":
      return cnnSession(spec);
    case "gpt":
      return gptSession(spec);
    case "optimizer":
      return updateSession(spec);
    default:
      return { reason: `unknown kind of workload: ${(spec satisfies never as WorkloadSpec).kind}` };
  }
}
