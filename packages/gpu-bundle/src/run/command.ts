/** Runs a program to its end. */
import { spawn } from "node:child_process";

export interface Ended {
  /** Exit code; undefined where it was stopped or could not be started. */
  readonly code: number | undefined;
  readonly stdout: string;
  /** Both outputs, as they came. */
  readonly output: string;
}

/** Its standard error goes on to ours as well. Never rejects. */
export function runToEnd(command: string, args: readonly string[], minutes: number): Promise<Ended> {
  return new Promise((resolve) => {
    let stdout = "";
    let output = "";
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000 * minutes);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      process.stderr.write(text);
    });
    const end = (code: number | undefined, said = ""): void => {
      clearTimeout(late);
      resolve({ code, stdout, output: output + said });
    };
    child.on("error", (error) => end(undefined, error.message));
    child.on("close", (code, signal) => end(code ?? undefined, signal ? `ended by ${signal}` : ""));
  });
}
