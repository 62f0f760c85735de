/** The thalweg command: arguments in, exit code out. */
import { createRequire } from "node:module";
import { ThalwegError } from "@thalweg/core";
import { optimizers } from "@thalweg/core/optim";
import { DataError } from "@thalweg/train";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { backendNames, UnavailableError } from "./backends.ts";
import { printBackends } from "./backendsCommand.ts";
import type { Io } from "./io.ts";
import { modelNames } from "./models.ts";
import { type TrainOptions, train } from "./train.ts";

/** Of `main`: done; what was asked for could not be done; the question was wrong. */
const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/**
 * Runs the command line `argv` (without node and script) and resolves to its exit code: 0 done, 1 failed (data that cannot
 * be used, a backend that is not there), 2 arguments that make no sense.
 */
export async function main(argv: readonly string[], io: Io = process): Promise<number> {
  try {
    await program(io).parseAsync(argv, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    // Commander has printed its own already; help and version end here too, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (error instanceof DataError || error instanceof UnavailableError) io.stderr.write(`error: ${error.message}\n`);
    else if (error instanceof ThalwegError) io.stderr.write(`error: ${error.name}: ${error.message}\n`);
    else io.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return exitCodes.failed;
  }
}

function program(io: Io): Command {
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  const command = new Command("thalweg")
    .description("Trains neural networks in the terminal.")
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError("(thalweg --help says what there is)");
  command
    .command("train")
    .description("train a digit classifier, on generated digits or on MNIST-format files")
    .addOption(new Option("--model <name>", "network to train").choices(modelNames).default("mlp"))
    .option("--data <folder>", "MNIST-format IDX files, gzipped or not (default: digits drawn by the program)")
    .addOption(new Option("--backend <name>", "what computes").choices(backendNames).default("cpu-js"))
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
  return command;
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
