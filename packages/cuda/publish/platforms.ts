/** Where the addon is built beforehand. Elsewhere `npx thalweg build-cuda` builds it. */
export const platforms = [{ os: "linux", cpu: "x64", libc: "glibc" }] as const;

export type Platform = (typeof platforms)[number];

export const packageName = ({ os, cpu }: Platform) => `@thalweg/cuda-${os}-${cpu}` as const;

export const prebuiltPackages = platforms.map(packageName);
