/** What the bundle's command is asked to do. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findWorkloads, type PeerName, peerNames, type TorchDevice, type Workload } from "@thalweg/bench";

/** In the order they are done; each adds its file to the reports, and `document` is made of all there are. */
export const parts = ["conformance", "golden", "sanitizer", "bench", "document"] as const;
export type Part = (typeof parts)[number];

/** The backends that a bundle holds: the function of each package that makes one. */
export const creators = { cuda: "cuda", wasm: "wasm", "cpu-js": "cpu" } as const;
export type BackendName = keyof typeof creators;

/** What a GPU's figures are set against. */
const usualPeers: readonly PeerName[] = ["pytorch-eager", "pytorch-fused", "pytorch-cudagraph", "pytorch-compile"];

/** Everything that is to be shown on a GPU. */
const shown = [
  ...["optimizer-adamW-1m", "optimizer-adamw-many", "optimizer-adamW-100m", "optimizer-adamW-100m-400"],
  ...["optimizer-adamW-1b", "optimizer-adamW-1b-400", "elementwise-64m", "softmax-rows-64m", "layernorm-rows-64m"],
  ...["matmul-8192-bf16", "matmul-8192", "mlp-adam", "cnn-sgd", "gpt-adamw", "gpt-124m", "dispatch"],
].join();

/** So little that a processor does it in a minute: it shows that the bundle works. */
const quick = { workloads: "optimizer-adamw-many,softmax-rows,mlp-adam,dispatch", cases: "kernels/*" } as const;

export interface RunOptions {
  readonly backend: BackendName;
  readonly parts: readonly Part[];
  readonly workloads: readonly Workload[];
  readonly peers: readonly PeerName[];
  readonly python: string;
  readonly torchDevice: TorchDevice;
  /** Only the cases that this names; undefined: all. */
  readonly cases?: string;
  /** Folder of golden files, run beside the suite. */
  readonly golden?: string;
  /** Milliseconds of a measurement; undefined: as `thalweg bench`. */
  readonly window?: number;
  /** Where reports go. */
  readonly out: string;
}

export const usage = `run.sh [--backend cuda|wasm|cpu-js] [--python PATH] [--peers NAMES|none] [--parts ${parts.join()}]
       [--only WORKLOADS] [--cases PATTERN] [--golden FOLDER] [--out FOLDER] [--quick]`;

/** A run's arguments for a reader who repeats it: without what is its machine's own. */
export function shownCommand(argv: readonly string[]): string {
  const shown: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] as string;
    if (argument === "--out") i++;
    else if (argument === "--python" || argument === "--golden") {
      shown.push(argument, "PATH");
      i++;
    } else shown.push(/[*\s]/.test(argument) ? `'${argument}'` : argument);
  }
  return ["./run.sh", ...shown].join(" ");
}

function listed<Name extends string>(text: string, known: readonly Name[], what: string): readonly Name[] {
  return text.split(",").map((item) => {
    const name = known.find((one) => one === item.trim());
    if (name === undefined) throw new Error(`unknown ${what} ${item}; known are ${known.join(", ")}`);
    return name;
  });
}

/** `here`: folder of the bundle. Throws Error for arguments that make no sense. */
export function parseOptions(argv: readonly string[], here: string): RunOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      backend: { type: "string", default: "cuda" },
      python: { type: "string" },
      peers: { type: "string" },
      parts: { type: "string", default: parts.join() },
      only: { type: "string" },
      cases: { type: "string" },
      golden: { type: "string" },
      out: { type: "string", default: join(here, "report") },
      quick: { type: "boolean", default: false },
    },
  });
  const [backend] = listed(values.backend, Object.keys(creators) as BackendName[], "backend") as [BackendName];
  const asked = listed(values.parts, parts, "part");
  const only = values.only ?? (values.quick ? quick.workloads : shown);
  const cases = values.cases ?? (values.quick ? quick.cases : undefined);
  // On a processor the comparison is asked for by naming a Python or peers.
  const compared = backend === "cuda" || values.python !== undefined;
  const peers = values.peers ?? (compared ? usualPeers.join() : "none");
  return {
    backend,
    parts: parts.filter((part) => asked.includes(part)),
    workloads: findWorkloads(only),
    peers: peers === "none" ? [] : listed(peers, peerNames, "peer"),
    python: values.python ?? "python3",
    torchDevice: backend === "cuda" ? "cuda" : "cpu",
    ...(cases === undefined ? {} : { cases }),
    ...(values.golden === undefined ? {} : { golden: resolve(values.golden) }),
    ...(values.quick ? { window: 50 } : {}),
    out: resolve(values.out),
  };
}
