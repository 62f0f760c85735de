/**
 * The one table of what each graph of the layer `fusion` costs. A figure that gets worse is a lost fusion, one that gets better
 * belongs in here.
 */

/** Kernels by kind, in the order of `kernelKinds`; bytes that kernels read and write (`programStatistics`); bytes of the arena. */
export type Figures = readonly [kernels: string, bytesRead: number, bytesWritten: number, arenaBytes: number];

export interface Expected {
  /** With backends that have every kind of kernel. */
  readonly every: Figures;
  /** With backends that have loop kernels alone. */
  readonly loops: Figures;
}

const both = (...figures: Figures): Expected => ({ every: figures, loops: figures });

/** By name of the graph. An update that is not here is one kernel that moves what it must. */
export const figures: Readonly<Record<string, Expected>> = {
  // Element-wise chains, views, reductions.
  "chain of add, exp and mul, each a result": both("1 loop", 16384, 24576, 0),
  "gelu of a sum": both("1 loop", 16384, 8192, 0),
  "gradient of gelu of a sum": both("1 loop", 24576, 16384, 0),
  "sigmoid gate": both("1 loop", 16384, 8192, 0),
  "gradient of sigmoid gate": both("1 loop", 24576, 16384, 0),
  "where of a comparison": both("1 loop", 16384, 8192, 0),
  "cast to int32 and back": both("1 loop", 8192, 8192, 0),
  "add a row": both("1 loop", 8320, 8192, 0),
  "add a column and a scalar": both("1 loop", 8452, 8192, 0),
  "gradient of add a row": both("1 loop", 8192, 8320, 0),
  "exp of a row that is broadcast": both("2 loop", 8448, 8320, 128),
  "chain cut by a barrier": both("2 loop", 16384, 16384, 8192),
  "slice, flip and permute, then add": both("1 loop", 4224, 4096, 0),
  "expand and reshape": both("1 loop", 256, 8192, 0),
  "pad, then exp": both("1 loop", 8192, 9248, 0),
  "concat of three, then exp": both("1 loop", 24576, 24576, 0),
  "stack of two chains": both("1 loop", 16384, 16384, 0),
  "split, and the halves multiplied": both("1 loop", 8192, 4096, 0),
  "tril of a product": { every: ["1 matmul", 1024, 1024, 0], loops: ["1 loop", 1024, 1024, 0] },
  "one hot, then mul": both("1 loop", 2816, 2560, 0),
  "indexSelect, then add": both("1 loop", 1448, 1280, 0),
  // With scatterAdd: the zeros it adds to, and a copy of its result.
  "gradient of embedding": { every: ["2 loop, 1 scatterAdd", 19024, 24576, 8192], loops: ["1 loop", 2640, 8192, 0] },
  "sum of everything": both("1 loop", 8192, 4, 0),
  "mean of squares over rows with a chain before and after": both("1 loop", 8192, 256, 0),
  "sum over columns": both("1 loop", 8192, 128, 0),
  "argMax over rows": both("1 loop", 8192, 256, 0),
  "sum and max of one input": both("1 loop", 8192, 512, 0),
  variance: both("1 loop", 8192, 256, 0),
  logSumExp: both("1 loop", 8192, 256, 0),
  avgPool2d: both("1 loop", 1536, 384, 0),
  maxPool2d: both("1 loop", 1536, 384, 0),
  "gradient of avgPool2d": both("1 loop", 384, 1536, 0),
  "gradient of maxPool2d": { every: ["3 loop, 1 scatterAdd", 5376, 4992, 1920], loops: ["2 loop", 2304, 1920, 384] },
  "cumSum of a chain": { every: ["2 loop, 1 cumSum", 24576, 24576, 16384], loops: ["2 loop", 16384, 16384, 8192] },
  "argSort of a chain": { every: ["1 loop, 1 argSort", 16384, 16384, 8192], loops: ["2 loop", 16384, 16384, 8192] },
  // Row programs.
  softmax: both("1 loop", 8192, 8192, 0),
  "gradient of softmax": both("1 loop", 16384, 8192, 0),
  "softmax over columns": both("1 loop", 8192, 8192, 0),
  "gradient of softmax over columns": both("1 loop", 16384, 8192, 0),
  logSoftmax: both("1 loop", 8192, 8192, 0),
  "gradient of logSoftmax": both("1 loop", 16384, 8192, 0),
  layerNorm: both("1 loop", 8448, 8192, 0),
  "gradient of layerNorm": both("1 loop", 16512, 8192, 0),
  "gradient of layerNorm by all": both("2 loop", 33408, 8960, 512),
  rmsNorm: both("1 loop", 8320, 8192, 0),
  "gradient of rmsNorm": both("1 loop", 16512, 8192, 0),
  "gradient of rmsNorm by all": both("2 loop", 33152, 8576, 256),
  groupNorm: both("1 loop", 1184, 1152, 0),
  "gradient of groupNorm": both("1 loop", 2320, 1152, 0),
  batchNorm: both("1 loop", 1184, 1152, 0),
  "gradient of batchNorm": both("1 loop", 2320, 1152, 0),
  "gradient of batchNorm by all": both("1 loop", 2320, 1184, 0),
  crossEntropy: both("2 loop", 8960, 260, 256),
  "crossEntropy and its gradient": both("3 loop", 9224, 8456, 320),
  "crossEntropy of probabilities and its gradient": both("2 loop", 16640, 8452, 256),
  "mseLoss and its gradient": both("1 loop", 16384, 8196, 0),
  // Contractions.
  matmul: { every: ["1 matmul", 10240, 4096, 0], loops: ["1 loop", 10240, 4096, 0] },
  "matmul of a transposed operand": { every: ["1 matmul", 16384, 4096, 0], loops: ["1 loop", 16384, 4096, 0] },
  "gradient of matmul": { every: ["2 matmul", 18432, 10240, 0], loops: ["2 loop", 18432, 10240, 0] },
  "gradient of matmul of batches": { every: ["2 matmul", 2528, 1248, 0], loops: ["2 loop", 2528, 1248, 0] },
  "linear and relu": { every: ["1 matmul", 10304, 4096, 0], loops: ["1 loop", 10304, 4096, 0] },
  "gradient of linear and relu": {
    every: ["1 loop, 3 matmul", 36928, 14400, 4096],
    loops: ["4 loop", 45248, 14400, 4096],
  },
  "linear, gelu and a residual": { every: ["1 matmul", 14400, 4096, 0], loops: ["1 loop", 14400, 4096, 0] },
  "conv2d and relu": { every: ["1 conv2d", 2936, 3072, 0], loops: ["1 loop", 2936, 3072, 0] },
  "gradient of conv2d and relu": {
    every: ["1 loop, 1 conv2d, 1 conv2dInputGradient, 1 conv2dWeightGradient", 18136, 6008, 3072],
    loops: ["4 loop", 24328, 6008, 3072],
  },
  "conv2d in groups and relu": { every: ["1 conv2d", 2504, 432, 0], loops: ["1 loop", 2468, 432, 0] },
  "conv1d and relu": { every: ["1 conv2d", 440, 320, 0], loops: ["1 loop", 440, 320, 0] },
  "convTranspose2d and relu": {
    every: ["1 conv2dInputGradient", 2492, 6936, 0],
    loops: ["3 loop", 14008, 18712, 11776],
  },
  attention: { every: ["1 loop, 2 matmul", 4352, 2816, 2048], loops: ["3 loop", 4352, 2816, 2048] },
  "gradient of attention": { every: ["1 loop, 5 matmul", 10496, 6400, 4096], loops: ["5 loop", 9472, 6400, 4096] },
  // Updates that reduce: norms of each parameter, or sums over its rows and columns.
  "update of adafactor": both("16 loop", 28884, 11940, 5760),
  "update of lamb": both("12 loop", 54800, 32904, 16576),
  "update of sm3": both("11 loop", 23704, 6720, 576),
  "update of adafactor (keras)": both("16 loop", 28884, 11940, 5760),
  "update of adafactor (optax)": both("13 loop", 32904, 27424, 11072),
  "update of adamMini": both("13 loop", 38384, 21944, 11008),
  "update of cautiousAdamW": both("7 loop", 49320, 32880, 16512),
  "update of cautiousLion": both("7 loop", 27400, 21920, 11008),
  "update of dAdaptAdam": both("9 loop", 55032, 38464, 17216),
  "update of lamb (keras)": both("7 loop", 49320, 32880, 16512),
  "update of lamb (optax)": both("13 loop", 43864, 38384, 16576),
  "update of lars (optax)": both("7 loop", 27400, 21920, 11008),
  "update of mars": both("5 loop", 48160, 42680, 20992),
  "update of novoGrad": both("7 loop", 27424, 21944, 11008),
  "update of prodigy": both("9 loop", 65964, 43992, 17280),
  "update of cautious(adamW)": both("7 loop", 49320, 32880, 16512),
  "update of lossScaling(adamW)": both("8 loop", 27546, 16604, 704),
  "update of skipNonFinite(adamW)": both("8 loop", 27530, 16588, 576),
  // Updates with a weight that all parameters share: a kernel of its own, of a scalar.
  "update of scheduleFreeAdamW": both("2 loop", 21936, 16448, 0),
  "update of scheduleFreeSgd": both("2 loop", 16456, 10968, 0),
  "update of scheduleFree(adamW)": both("2 loop", 27416, 21928, 0),
  // Training.
  // The last norm takes the update of its parameter along, which is then copied into place: 12 KiB more than apart.
  "update of adamW with gradients clipped by their norm": both("8 loop", 32564, 24144, 8064),
  "MLP step with adamW": { every: ["7 loop, 8 matmul", 62736, 33160, 12864], loops: ["15 loop", 63120, 33160, 12864] },
  "MLP step with sgd": { every: ["7 loop, 8 matmul", 51776, 22200, 12864], loops: ["15 loop", 52160, 22200, 12864] },
  "MLP step with dropout": {
    every: ["8 loop, 8 matmul", 68880, 39304, 16320],
    loops: ["16 loop", 69136, 39304, 13248],
  },
  "CNN step with adamW": {
    every: [
      "12 loop, 3 matmul, 2 conv2d, 1 conv2dInputGradient, 2 conv2dWeightGradient, 1 scatterAdd",
      94160,
      59512,
      30400,
    ],
    loops: ["19 loop", 103400, 38776, 25344],
  },
  "GPT step with adamW": {
    every: ["38 loop, 39 matmul, 1 scatterAdd", 352804, 209592, 59520],
    loops: ["67 loop", 350564, 205816, 55744],
  },
};
