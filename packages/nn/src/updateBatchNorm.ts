/** Statistics for batch normalisation under weights it was not trained with, as torch.optim.swa_utils.update_bn. */
import { ArgumentError, add, div, Parameter, sub, type Tensor, zeros } from "@thalweg/core";
import type { BatchNorm } from "./batchNorm.ts";
import type { AnyModule } from "./module.ts";

const isBatchNorm = (module: AnyModule): module is AnyModule & BatchNorm =>
  module.type === "batchNorm" && "runningMean" in module;

/** Memory of its own with the same value. */
function copyOf(value: Tensor): Parameter {
  const copy = new Parameter(zeros(value.shape, { dtype: value.dtype }), { trainable: false });
  copy.assign(value);
  return copy;
}

/**
 * Makes the running statistics of every `batchNorm` in a model the mean of those of the batches. Averaged weights (`swa`,
 * `ema`, schedule-free rules) want it: the running statistics are those of the weights that were trained. Call it between
 * `optimizer.eval()` and evaluating. Afterwards the model is in training or evaluation as before.
 *
 * @param batches Each batch counts the same.
 * @param forward Runs the model on a batch. Default: the batch is the model's one argument.
 * @throws ArgumentError when there is no batch; then, and when anything else fails, the statistics stay.
 */
export async function updateBatchNorm<Batch>(
  model: AnyModule,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  forward: (batch: Batch) => unknown = (batch) => model(batch as never),
): Promise<void> {
  const modules = [...model.modules().values()];
  const layers = [...new Set(modules.filter(isBatchNorm))];
  if (layers.length === 0) return;
  const modes = modules.map(({ training }) => training);
  const momenta = layers.map(({ momentum }) => momentum);
  const statistics = layers.flatMap(({ runningMean, runningVar }) => [runningMean, runningVar]);
  /** What the statistics become: as they were, until all batches have been seen. */
  const before = statistics.map(copyOf);
  let result = before;
  try {
    model.train();
    // So that the running statistics are those of the last batch alone.
    for (const layer of layers) layer.momentum = 1;
    const averages = statistics.map(copyOf);
    let count = 0;
    for await (const batch of batches) {
      forward(batch);
      count++;
      for (const [i, average] of averages.entries()) {
        const now = statistics[i] as Parameter;
        average.assign(count === 1 ? now : add(average, div(sub(now, average), count)));
      }
    }
    if (count === 0) throw new ArgumentError("updateBatchNorm", "there is no batch to take statistics of");
    result = averages;
  } finally {
    for (const [i, parameter] of statistics.entries()) parameter.assign(result[i] as Parameter);
    for (const [i, layer] of layers.entries()) layer.momentum = momenta[i] as number;
    // Parents come first, and switch their children.
    for (const [i, module] of modules.entries()) module.train(modes[i] as boolean);
  }
}
