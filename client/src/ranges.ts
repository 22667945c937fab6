// Sets of positions as ranges: ascending, apart from each other, both ends inclusive.

export type Range = readonly [from: number, to: number];

/** The set with one more range. */
export function withRange(ranges: readonly Range[], from: number, to: number): readonly Range[] {
  const below = ranges.filter((range) => range[1] < from - 1);
  const above = ranges.filter((range) => range[0] > to + 1);
  const touching = ranges.slice(below.length, ranges.length - above.length);
  const low = Math.min(from, ...touching.map((range) => range[0]));
  const high = Math.max(to, ...touching.map((range) => range[1]));
  return [...below, [low, high], ...above];
}

/** The range that a position is in. */
export function rangeAt(ranges: readonly Range[], at: number): Range | undefined {
  return ranges.find(([from, to]) => from <= at && at <= to);
}
