/** A runner's process: requests come as JSON lines on its standard input, answers go to its standard output. */
import { Console } from "node:console";
import { createInterface } from "node:readline";
import type { Request } from "../protocol.ts";
import { RunnerServer } from "./server.ts";

// Libraries greet and warn on the console, which must not come between the answers.
globalThis.console = new Console(process.stderr, process.stderr);

const server = new RunnerServer();
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await server.answer(JSON.parse(line) as Request);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// A library's own threads would keep the process alive.
process.exit(0);
