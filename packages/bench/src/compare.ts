/**
 * Peers side by side. Each runs in a process of its own; they take turns, one measurement each, so that what else the
 * machine does falls on all alike; what counts is the median. Before anything is timed the peers must agree on the result.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Answer, PeerName, Request } from "./child.ts";
import type { Workload } from "./workloads.ts";

/** How far two peers' results may lie apart, relative to the larger: float32 sums in different order. */
const tolerance = 1e-3;

/**
 * How long a measurement lasts at least, in milliseconds: the same for every peer, and long enough that a short workload
 * is not timed on the caches the other peer left behind.
 */
const window = 250;

export interface Measurement {
  readonly workload: Workload;
  /** By peer, in the order given; undefined for a peer that does not do it. */
  readonly results: readonly (PeerResult | undefined)[];
}

export interface PeerResult {
  /** Median, least and most milliseconds of a run. */
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** The checked value after the warm-up. */
  readonly value: number;
}

export class PeerProcess {
  readonly name: string;
  readonly description: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, name: string, description: string) {
    this.#child = child;
    this.name = name;
    this.description = description;
  }

  static async launch(peer: PeerName, folder: string): Promise<PeerProcess> {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const child = fork(new URL(`child.${extension}`, import.meta.url), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const { name, description } = await request(child, { kind: "load", peer, folder }, "loaded");
    return new PeerProcess(child, name, description);
  }

  async start(workload: Workload): Promise<boolean> {
    return (await request(this.#child, { kind: "start", workload: workload.name }, "started")).exists;
  }
  async run(times: number): Promise<void> {
    await request(this.#child, { kind: "run", times }, "ran");
  }
  async measure(milliseconds: number): Promise<number> {
    return (await request(this.#child, { kind: "measure", milliseconds }, "measured")).milliseconds;
  }
  async check(): Promise<number> {
    return (await request(this.#child, { kind: "check" }, "checked")).value;
  }
  stop(): void {
    this.#child.kill();
  }
}

function request<Kind extends Answer["kind"]>(
  child: ChildProcess,
  message: Request,
  expected: Kind,
): Promise<Extract<Answer, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      child.off("message", answered);
      child.off("exit", exited);
      finish();
    };
    const answered = (answer: Answer) =>
      settle(() => {
        if (answer.kind === expected) resolve(answer as Extract<Answer, { kind: Kind }>);
        else reject(new Error(answer.kind === "failed" ? answer.message : `expected ${expected}, got ${answer.kind}`));
      });
    const exited = (code: number | null) => settle(() => reject(new Error(`a peer's process ended with code ${code}`)));
    child.on("message", answered);
    child.on("exit", exited);
    child.send(message);
  });
}

/** Measures one workload. Throws when the peers do not agree on its result. */
export async function measure(workload: Workload, peers: readonly PeerProcess[]): Promise<Measurement> {
  const taking = await Promise.all(peers.map(async (peer) => ((await peer.start(workload)) ? peer : undefined)));
  const values: (number | undefined)[] = [];
  for (const peer of taking) {
    await peer?.run(workload.warmUp);
    values.push(await peer?.check());
  }
  checkAgreement(workload.name, taking, values);
  const times = taking.map(() => [] as number[]);
  for (let repeat = 0; repeat < workload.repeats; repeat++) {
    for (const [i, peer] of taking.entries()) if (peer) times[i]?.push(await peer.measure(window));
  }
  const results = times.map((all, i) =>
    all.length === 0
      ? undefined
      : { median: median(all), least: Math.min(...all), most: Math.max(...all), value: values[i] as number },
  );
  return { workload, results };
}

function checkAgreement(
  workload: string,
  peers: readonly (PeerProcess | undefined)[],
  values: readonly (number | undefined)[],
): void {
  const [first, ...others] = values.filter((value) => value !== undefined);
  for (const other of others) {
    const apart = Math.abs(other - (first as number));
    if (apart <= tolerance * Math.max(Math.abs(other), Math.abs(first as number))) continue;
    const found = peers.map((peer, i) => peer && `${peer.name} ${values[i]}`).filter(Boolean);
    throw new Error(`${workload}: the peers do not agree: ${found.join(", ")}`);
  }
}

/** The middle of the values, or between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
