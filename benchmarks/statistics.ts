/** What is made of samples: medians, spreads, and ratios that are taken round by round. */

/** The value below which a share of the samples lies, interpolated. */
export function quantile(samples: readonly number[], share: number): number {
  if (samples.length === 0) return Number.NaN
  const sorted = Float64Array.from(samples).sort()
  const position = share * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low + (high - low) * (position - below)
}

export const median = (samples: readonly number[]) => quantile(samples, 0.5)

export const mean = (samples: readonly number[]) => samples.reduce((sum, sample) => sum + sample, 0) / samples.length

/** Standard deviation over mean: 0 when all are alike. */
export function coefficientOfVariation(samples: readonly number[]): number {
  const middle = mean(samples)
  const variance = mean(samples.map((sample) => (sample - middle) ** 2))
  return middle === 0 ? Number.POSITIVE_INFINITY : Math.sqrt(variance) / middle
}

/** A ratio with what it varied over: the middle 80 % of the rounds. */
export interface Ratio {
  median: number
  low: number
  high: number
}

/**
 * How many times `of` is `to`. Each round gives one ratio, of two things that were measured within a few milliseconds
 * of each other: whatever else the machine does, it does to both.
 */
export function ratioOfRounds(of: readonly (readonly number[])[], to: readonly (readonly number[])[]): Ratio {
  const ratios = of.flatMap((samples, round) => {
    const others = to[round]
    return samples.length === 0 || others === undefined || others.length === 0 ? [] : [median(samples) / median(others)]
  })
  return { median: median(ratios), low: quantile(ratios, 0.1), high: quantile(ratios, 0.9) }
}
