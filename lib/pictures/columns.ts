/** Curves of any length at the resolution of a plot. */

/** The values that fall into one pixel column. */
export interface Column {
  column: number;
  /** Mean place of the values. */
  x: number;
  low: number;
  high: number;
  mean: number;
  count: number;
}

/** Values gathered by column: a run of a million steps is drawn as fast as a short one. Gaps give no column. */
export function columnsOf(
  points: Iterable<readonly [x: number, y: number]>,
  low: number,
  high: number,
  width: number,
): Column[] {
  const columns = new Map<number, Column>();
  for (const [x, y] of points) {
    const at = Math.floor(((x - low) / (high - low)) * width);
    const column = columns.get(at);
    if (column === undefined) columns.set(at, { column: at, x, low: y, high: y, mean: y, count: 1 });
    else {
      column.low = Math.min(column.low, y);
      column.high = Math.max(column.high, y);
      column.count++;
      column.mean += (y - column.mean) / column.count;
      column.x += (x - column.x) / column.count;
    }
  }
  return [...columns.values()].sort((a, b) => a.column - b.column);
}

/** Mean over about a thirtieth of the curve around each column, never across its ends. */
export function smoothed(columns: readonly Column[]): Column[] {
  const reach = Math.floor(columns.length / 60);
  return columns.map((column, i) => {
    const near = columns.slice(Math.max(0, i - reach), i + reach + 1);
    return { ...column, mean: near.reduce((sum, c) => sum + c.mean, 0) / near.length };
  });
}
