/**
 * A chart over time on canvas (uPlot), with a readout beside the pointer and a table for those who
 * cannot see it. In: bucket starts and one list of values per line. Never asks for data.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { usePrefs, useTheme } from '../lib/prefs';
import { clock, date, fullTime, hourMinute, number, type Zone } from '../lib/time';
import { t } from '../strings';

export interface Line {
  label: string;
  /** Name of the CSS custom property that holds the colour. */
  color: string;
  values: readonly number[];
  kind: 'bar' | 'area' | 'dashed';
}

export interface ChartProps {
  name: string;
  /** Bucket starts, seconds. */
  starts: readonly number[];
  width: number;
  /** End of the range, seconds: the last bucket may reach beyond it. */
  until: number;
  /** First on top, when stacked. */
  lines: readonly Line[];
  stacked?: boolean;
  asTable: boolean;
  onPick?: (from: number, to: number) => void;
  /** A stretch was drawn over the chart: its whole buckets. */
  onBrush?: (from: number, to: number) => void;
}

/** A drag shorter than this is a click, pixels. */
const BRUSH_PX_MIN = 4;

const DAY_S = 86_400;

/** Two hexadecimal digits after a colour. */
const AREA_ALPHA = '33';

/** Where the pointer is: a bucket, its place from the left, and on which side there is room. */
interface Hover {
  index: number;
  left: number;
  side: 'left' | 'right';
}

function axisLabels(zone: Zone) {
  return (_: uPlot, splits: number[], __: number, ___: number, step: number) =>
    splits.map((at, index) => {
      const ms = at * 1000;
      if (step >= DAY_S) return date(ms, zone);
      const day = date(ms, zone);
      const before = splits[index - 1];
      if (before !== undefined && date(before * 1000, zone) !== day) return day;
      return step < 60 ? clock(ms, zone) : hourMinute(ms, zone);
    });
}

/** Data as uPlot draws it: buckets' middles; stacked lines as running sums from the last line up. */
function plotted({ starts, width, lines, stacked, until }: ChartProps): uPlot.AlignedData {
  const middles = starts.map((start) => start + width / 2);
  if (stacked) return [middles, ...sums(lines)];
  const last = starts.at(-1);
  const partial = last !== undefined && last + width > until;
  return [middles, ...lines.map((line) => (partial ? settled(line.values) : [...line.values]))];
}

/** With fewer values than this, an unfinished one is better than none. */
const SETTLED_MIN = 4;

/** Without the bucket that is still filling: a line would seem to fall at its end. */
function settled(values: readonly number[]): (number | null)[] {
  if (values.filter((value) => value > 0).length < SETTLED_MIN) return [...values];
  return values.map((value, at) => (at === values.length - 1 ? null : value));
}

function sums(lines: readonly Line[]): number[][] {
  const out: number[][] = [];
  let below: number[] = [];
  for (const line of lines.toReversed()) {
    const base = below;
    below = line.values.map((value, at) => value + (base[at] ?? 0));
    out.unshift(below);
  }
  return out;
}

function seriesOf(line: Line, css: (name: string) => string): uPlot.Series {
  const color = css(line.color);
  const common: uPlot.Series = { label: line.label, stroke: color, points: { show: false } };
  if (line.kind === 'bar') {
    const paths = uPlot.paths.bars?.({ size: [0.8, 28], radius: 0, gap: 0 });
    return { ...common, fill: color, width: 0, ...(paths ? { paths } : {}) };
  }
  if (line.kind === 'area') {
    return { ...common, width: 1.5, fill: `${color}${AREA_ALPHA}` };
  }
  return { ...common, width: 1.5, dash: [5, 3] };
}

/** When something was last drawn over; the click that ends it is no click. */
let brushedAt = 0;
const BRUSH_CLICK_MS = 100;

/** What was drawn over, in whole buckets. */
function brushed(plot: uPlot, props: ChartProps) {
  const { left, width } = plot.select;
  if (width < BRUSH_PX_MIN) return;
  const first = props.starts[0] ?? 0;
  const bucket = (at: number) => first + Math.floor((at - first) / props.width) * props.width;
  const from = bucket(plot.posToVal(left, 'x'));
  const to = bucket(plot.posToVal(left + width, 'x')) + props.width;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  brushedAt = performance.now();
  props.onBrush?.(from, to);
}

function options(props: ChartProps, zone: Zone, box: HTMLElement, hover: (plot: uPlot) => void, brush: (plot: uPlot) => void): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const css = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: css('--fg-3'),
    grid: { stroke: css('--grid'), width: 1 },
    ticks: { show: false },
    font: `11px ${css('--sans')}`,
    gap: 6,
  };
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    tzDate: (at) => (zone === 'utc' ? uPlot.tzDate(new Date(at * 1000), 'Etc/UTC') : new Date(at * 1000)),
    scales: {
      // Half a bucket more on each side, so that the outer bars are whole.
      x: { range: (_, low, high) => [low - props.width / 2, high + props.width / 2] },
      y: { range: (_, __, high) => [0, Math.max(4, high * 1.08)] },
    },
    cursor: { y: false, drag: { x: props.onBrush !== undefined, y: false, setScale: false }, points: { show: false } },
    axes: [
      { ...axis, grid: { show: false }, values: axisLabels(zone), space: 64, size: 24 },
      { ...axis, size: 38, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7], values: (_, splits) => splits.map((value) => (value >= 10_000 ? `${value / 1000}k` : number(value))) },
    ],
    series: [{}, ...props.lines.map((line) => seriesOf(line, css))],
    hooks: { setCursor: [hover], setSelect: [brush] },
  };
}

/** Keeps one uPlot on `box`, re-made when looks change and fed when numbers do. */
function usePlot(props: ChartProps, hover: (plot: uPlot) => void) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useTheme();
  const { zone } = usePrefs();
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const look = props.lines.map((line) => line.label + line.kind).join() + props.asTable + props.width;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(options(latest.current, zone, element, hover, (drawn) => brushed(drawn, latest.current)), plotted(latest.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme, zone, look, hover]);
  useEffect(() => {
    plot.current?.setData(plotted(latest.current));
  }, [props.starts, props.lines]);
  return { box, zone };
}

function Readout({ props, at, zone }: { props: ChartProps; at: Hover; zone: Zone }) {
  const { index, left, side } = at;
  const start = props.starts[index];
  if (start === undefined) return null;
  const rows = props.lines.filter((line) => props.lines.length < 3 || (line.values[index] ?? 0) > 0);
  return (
    <div className="readout" style={{ left: `${left}px` }} data-side={side} aria-hidden="true">
      <b>{`${date(start * 1000, zone)} ${clock(start * 1000, zone)}`}</b>
      {rows.map((line) => (
        <span key={line.label}>
          <i style={{ background: `var(${line.color})` }} />
          {line.label}
          <em>{number(line.values[index] ?? 0)}</em>
        </span>
      ))}
      {rows.length === 0 && <span>{t.chart.quiet}</span>}
    </div>
  );
}

function Table({ props, zone }: { props: ChartProps; zone: Zone }) {
  const rows = props.starts
    .map((start, at) => ({ start, values: props.lines.map((line) => line.values[at] ?? 0) }))
    .filter((row) => row.values.some((value) => value > 0))
    .toReversed();
  if (rows.length === 0) return <p className="quiet">{t.chart.quiet}</p>;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={props.name}>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{t.chart.time}</th>
            {props.lines.map((line) => <th key={line.label} scope="col" className="num">{line.label}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.start}>
              <th scope="row">{fullTime(row.start * 1000, zone)}</th>
              {row.values.map((value, at) => <td key={at} className="num">{number(value)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Chart(props: ChartProps) {
  const [at, setAt] = useState<Hover | null>(null);
  const hover = useCallback((plot: uPlot) => {
    const index = plot.cursor.idx;
    if (index === null || index === undefined || (plot.cursor.left ?? -1) < 0) {
      setAt(null);
      return;
    }
    const left = plot.valToPos(plot.data[0][index] ?? 0, 'x') + plot.bbox.left / devicePixelRatio;
    const side = left > plot.width / 2 ? 'left' : 'right';
    setAt((old) => (old?.index === index && old.left === left ? old : { index, left, side }));
  }, []);
  const { box, zone } = usePlot(props, hover);
  const total = props.lines.reduce((all, line) => all + line.values.reduce((sum, value) => sum + value, 0), 0);
  const first = props.starts[0];
  const last = props.starts.at(-1);
  if (props.asTable) return <Table props={props} zone={zone} />;
  const label = t.chart.summary(
    props.name,
    number(total),
    first === undefined ? t.none : fullTime(first * 1000, zone),
    last === undefined ? t.none : fullTime((last + props.width) * 1000, zone),
  );
  const pick = () => {
    if (performance.now() - brushedAt < BRUSH_CLICK_MS) return;
    const start = at === null ? undefined : props.starts[at.index];
    if (start !== undefined) props.onPick?.(start, start + props.width);
  };
  return (
    <div className="chart">
      {/* The table is the way in for the keyboard; a click here is a shortcut for the pointer. */}
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions */}
      <div ref={box} className={props.onPick ? 'canvas pick' : 'canvas'} role="img" aria-label={label} onClick={props.onPick && pick} />
      {total === 0 && <p className="quiet over">{t.chart.quiet}</p>}
      {at !== null && total > 0 && <Readout props={props} at={at} zone={zone} />}
    </div>
  );
}
