/** The version of the NVIDIA driver, as people know it: 580.159.03. The driver's own interface tells that of CUDA only. */
import { readFileSync } from "node:fs";

const kernelModule = "/proc/driver/nvidia/version";

/** The number in what the kernel module says of itself. */
export const parseDriverVersion = (text: string): string | undefined =>
  /^NVRM version:.*?\s(\d+\.[\d.]+)/.exec(text)?.[1];

/** Undefined where the kernel module says nothing: in Windows' Linux, and on the emulation. */
export function driverVersion(): string | undefined {
  try {
    return parseDriverVersion(readFileSync(kernelModule, "utf8"));
  } catch {
    return undefined;
  }
}
