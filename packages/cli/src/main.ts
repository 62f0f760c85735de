/** The thalweg command: arguments in, exit code out. */
import { createRequire } from "node:module";
import { PeerError, RunnerError } from "@thalweg/bench";
import { ThalwegError } from "@thalweg/core";
import { optimizers } from "@thalweg/core/optim";
import { DataError } from "@thalweg/train";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { backendNames, defaultBackends, threadsOption, UnavailableError } from "./backends.ts";
import { printBackends } from "./backendsCommand.ts";
import { addBenchCommand } from "./benchCommand.ts";
import { buildCuda } from "./buildCudaCommand.ts";
import { type ConformanceOptions, conformance } from "./conformance.ts";
import type { Io } from "./io.ts";
import { modelNames } from "./models.ts";
import { addOptimizersCommand } from "./optimizersCommand.ts";
import { type TrainOptions, train } from "./train.ts";

/** Of `main`: done; what was asked for could not be done; the question was wrong. */
const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Errors whose message says all: something that was asked for is not there or cannot be used. */
const expected = [DataError, UnavailableError, PeerError, RunnerError] as const;

/**
 * Runs the command line `argv` (without node and script) and resolves to its exit code: 0 done, 1 failed (data that cannot
 * be used, a backend that is not there), 2 arguments that make no sense.
 */
export async function main(argv: readonly string[], io: Io = process): Promise<number> {
  try {
    const { command, outcome } = program(io);
    await command.parseAsync(argv, { from: "user" });
    return outcome.failed ? exitCodes.failed : exitCodes.done;
  } catch (error) {
    // Commander has printed its own already; help and version end here too, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (expected.some((kind) => error instanceof kind)) io.stderr.write(`error: ${(error as Error).message}\n`);
    else if (error instanceof ThalwegError) io.stderr.write(`error: ${error.name}: ${error.message}\n`);
    else io.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return exitCodes.failed;
  }
}

/** The command, and whether what it was told to do was done but found wanting. */
function program(io: Io): { command: Command; outcome: { failed: boolean } } {
  const outcome = { failed: false };
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  const command = new Command("thalweg")
    .description("Trains neural networks in the terminal; tests and measures backends.")
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError("(thalweg --help says what there is)");
  command
    .command("train")
    .description("train a digit classifier, on generated digits or on MNIST-format files")
    .addOption(new Option("--model <name>", "network to train").choices(modelNames).default("mlp"))
    .option("--data <folder>", "MNIST-format IDX files, gzipped or not (default: digits drawn by the program)")
    .addOption(new Option("--backend <name>", `what computes (default: ${defaultBackends})`).choices(backendNames))
    .option(...threadsOption, whole(1))
    .addOption(new Option("--optimizer <name>", "optimizer").choices(Object.keys(optimizers)).default("adamW"))
    .option("--lr <rate>", "first learning rate, which falls to 0 (default: one that suits the optimizer)", positive)
    .option("--epochs <n>", "passes over the training set (default: 8 for mlp, 2 for cnn)", whole(1))
    .option("--batch-size <n>", "images per step", whole(1), 64)
    .option("--seed <n>", "decides the initial weights and the order of the images", whole(0), 0)
    .option("--json", "print one JSON object with the results on stdout", false)
    .action((options: TrainOptions) => train(options, io));
  command
    .command("backends")
    .description("list the backends, and why one is not available")
    .action(() => printBackends(io));
  command
    .command("build-cuda")
    .description(
      "compile the addon of the cuda backend, for platforms without a prebuilt one (needs CMake and a C++ compiler)",
    )
    .action(() => buildCuda(io));
  command
    .command("conformance")
    .description("run the suite that every backend passes")
    .option(
      "--backend <name>",
      `a known backend, or the path of a module that exports one (default: ${defaultBackends})`,
    )
    .option(...threadsOption, whole(1))
    .option("--golden <folder>", "run the golden files below this folder instead of the built-in suite")
    .option(
      "--only <pattern>",
      "only cases named by this: part of layer/name or of a golden file, * stands for any text",
    )
    .option("--runs <n>", "random graphs per property of the sweep", whole(1))
    .option("--seed <n>", "seed of the sweep", whole(0))
    .option("--json", "print one JSON object with the results on stdout", false)
    .action(async (options: ConformanceOptions) => {
      outcome.failed = !(await conformance(options, io));
    });
  addBenchCommand(command, io, whole(1));
  addOptimizersCommand(command, io, whole(1));
  return { command, outcome };
}

function positive(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("Expected a number above 0.");
  return value;
}

const whole =
  (least: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number from ${least} up.`);
    }
    return value;
  };
