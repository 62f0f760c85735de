/** How a rate rises: from 0 to 1 as `progress` does. */
export const warmupShapes = {
  linear: (progress: number): number => progress,
  cosine: (progress: number): number => (1 - Math.cos(Math.PI * progress)) / 2,
  "1-sqrt": (progress: number): number => 1 - Math.sqrt(1 - progress),
} as const;

export type WarmupType = keyof typeof warmupShapes;

export const warmupTypes = Object.keys(warmupShapes) as WarmupType[];
