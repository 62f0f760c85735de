/** What reads files, and so needs Node. */
export { type IdxImages, parseImages, parseLabels } from "./idx/idx.ts";
export { type MnistFolder, readMnist } from "./idx/mnist.ts";
