/** How far the adaptive learning rate of early steps can be trusted. Liu et al. 2019, https://arxiv.org/abs/1908.03265. */

/** Length of the approximated simple moving average after `step` steps (ρₜ), and that of infinitely many (ρ∞). */
export function averageLength(beta2: number, step: number): { readonly now: number; readonly limit: number } {
  const limit = 2 / (1 - beta2) - 1;
  const power = beta2 ** step;
  return { now: limit - (2 * step * power) / (1 - power), limit };
}

/** √((ρₜ - 4) (ρₜ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρₜ)). */
export const rectification = ({ now, limit }: ReturnType<typeof averageLength>): number =>
  Math.sqrt((((now - 4) / (limit - 4)) * (now - 2) * limit) / ((limit - 2) * now));
