import Table from "cli-table3";
import { type BackendStatus, probeBackends } from "./backends.ts";
import type { Io } from "./io.ts";

/** `thalweg backends`: a table of every known backend, available or why not. */
export async function printBackends(io: Io, statuses?: readonly BackendStatus[]): Promise<void> {
  const table = new Table({
    head: ["backend", "available", "about"],
    style: { head: [], border: [] },
    colWidths: [null, null, 72],
    wordWrap: true,
  });
  for (const { name, about, available, detail } of statuses ?? (await probeBackends())) {
    table.push([name, available ? "yes" : "no", available ? detail : `${about}: ${detail}`]);
  }
  io.stdout.write(`${table.toString()}\n`);
}
