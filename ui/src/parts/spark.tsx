/** A small line of the last values; says its range in words to those who cannot see it. */

interface SparkProps {
  values: readonly number[];
  /** How many values the full width holds. */
  slots: number;
  label: string;
}

const WIDTH = 240;
const HEIGHT = 44;
const PAD = 3;

/** Path of the line through `values`, newest at the right edge. Pure. */
export function sparkPath(values: readonly number[], slots: number): string {
  const shown = values.slice(-slots);
  const high = Math.max(1, ...shown);
  const step = WIDTH / Math.max(1, slots - 1);
  return shown
    .map((value, at) => {
      const x = WIDTH - (shown.length - 1 - at) * step;
      const y = HEIGHT - PAD - (Math.max(0, value) / high) * (HEIGHT - 2 * PAD);
      return `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

export function Spark({ values, slots, label }: SparkProps) {
  const line = sparkPath(values, slots);
  const shown = Math.min(values.length, slots);
  const left = (WIDTH - (shown - 1) * (WIDTH / Math.max(1, slots - 1))).toFixed(1);
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path className="floor" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      {shown > 1 && <path className="fill" d={`${line}L${WIDTH} ${HEIGHT}L${left} ${HEIGHT}Z`} />}
      {shown > 1 && <path className="line" d={line} />}
    </svg>
  );
}
