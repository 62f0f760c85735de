import { expect, it } from "vitest";
import { parseDriverVersion } from "./driverVersion.ts";

it("finds the version in what kernel modules say", () => {
  const proprietary =
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc 12.2.0";
  const open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.03  Release Build  (root@host)";
  expect([proprietary, open, "nothing of it 1.2"].map(parseDriverVersion)).toEqual([
    "535.104.05",
    "580.159.03",
    undefined,
  ]);
});
