/** Training progress on stderr: a live bar on a terminal, one plain line per epoch elsewhere. */
import type { EpochResult, FitCallbacks } from "@thalweg/train";
import { Presets, SingleBar } from "cli-progress";
import type { Io } from "./io.ts";

export interface Progress extends Required<FitCallbacks> {
  /** Takes the bar off the screen; its timer would keep the process alive. */
  stop(): void;
}

export function progress(stderr: Io["stderr"], epochs: number): Progress {
  const line = (result: EpochResult, epoch: number) => stderr.write(`${epochLine(result, epoch, epochs)}\n`);
  if (!stderr.isTTY) return { onStep: () => undefined, onEpoch: line, stop: () => undefined };
  const bar = new SingleBar(
    {
      stream: stderr as NodeJS.WriteStream,
      format: `epoch {epoch}/${epochs} {bar} {percentage} %  loss {loss}  {eta_formatted} left`,
      barsize: 32,
      fps: 20,
      clearOnComplete: true,
      // Its handler would swallow the first interrupt; nothing needs restoring as long as wrapping is left alone.
      gracefulExit: false,
      linewrap: true,
    },
    Presets.shades_classic,
  );
  return {
    onStep({ epoch, step, steps, loss }) {
      const payload = { epoch, loss: loss === undefined ? "…" : loss.toFixed(4) };
      if (bar.isActive) bar.update(step, payload);
      else bar.start(steps, step, payload);
    },
    onEpoch(result, epoch) {
      bar.stop();
      line(result, epoch);
    },
    stop: () => bar.stop(),
  };
}

/** `epoch 3/8  loss 0.0412  validation 97.90 %  2.1 s` */
export function epochLine({ loss, validationAccuracy, seconds }: EpochResult, epoch: number, epochs: number): string {
  const accuracy = (100 * validationAccuracy).toFixed(2);
  return `epoch ${epoch}/${epochs}  loss ${loss.toFixed(4)}  validation ${accuracy} %  ${seconds.toFixed(1)} s`;
}
