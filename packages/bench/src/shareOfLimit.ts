/** Which limit applies to a workload, and what share of it a runner reached. */
import type { DeviceLimits, MachineLimits, MachineReport } from "./benchReport.ts";
import type { Workload } from "./spec.ts";

/** What a runner computes with. */
export interface Place {
  readonly threads: number | undefined;
  readonly device: string | undefined;
}

type Throughput = { readonly gflops: number | undefined; readonly gbps: number | undefined };

/** Undefined where nothing is known that the figures could be set against. */
export function shareOfLimit(
  { arithmetic = "float32" }: Pick<Workload, "arithmetic">,
  throughput: Throughput,
  { threads, device }: Place,
  machine: Pick<MachineReport, "limits" | "devices">,
): number | undefined {
  const peaks =
    device === undefined
      ? ofProcessor(machine.limits.find((limits) => limits.threads === threads))
      : ofDevice(
          machine.devices?.find((limits) => limits.device === device),
          arithmetic,
        );
  if (!peaks) return undefined;
  const { gflops, gbps } = throughput;
  // A workload with both counts is bound by its arithmetic.
  if (gflops !== undefined) return peaks.gflops && gflops / peaks.gflops;
  return gbps === undefined ? undefined : gbps / peaks.copyGbps;
}

interface Peaks {
  readonly gflops: number | undefined;
  readonly copyGbps: number;
}

const ofProcessor = (limits: MachineLimits | undefined): Peaks | undefined =>
  limits && { gflops: limits.simdGflops ?? limits.scalarGflops, copyGbps: limits.copyGbps };

const ofDevice = (
  limits: DeviceLimits | undefined,
  arithmetic: NonNullable<Workload["arithmetic"]>,
): Peaks | undefined => limits && { gflops: limits.gflops[arithmetic], copyGbps: limits.copyGbps };
