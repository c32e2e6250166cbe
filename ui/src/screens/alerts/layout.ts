/** Where each row of the list is: groups and their alerts as one run of rows. Pure. */
import type { AlertGroup } from '../../api/types';

/** A run of alerts, with a heading when it is a group. */
export interface Section {
  key: string;
  /** Absent: the whole list, without a heading. */
  group?: AlertGroup;
  /** What to ask for beside the filter. */
  query: Record<string, string>;
  count: number;
  open: boolean;
}

export interface Layout {
  sections: readonly Section[];
  /** First row of each section. */
  starts: readonly number[];
  rows: number;
}

export type Place = { section: Section; at: number } | undefined;

export const groupKey = (query: Record<string, string>) => JSON.stringify(Object.entries(query).toSorted(([a], [b]) => (a < b ? -1 : 1)));

const heading = (section: Section) => (section.group ? 1 : 0);
const shown = (section: Section) => heading(section) + (section.open ? section.count : 0);

export function layOut(sections: readonly Section[]): Layout {
  const starts: number[] = [];
  let rows = 0;
  for (const section of sections) {
    starts.push(rows);
    rows += shown(section);
  }
  return { sections, starts, rows };
}

/** What is in a row; `at` is below zero for a heading. */
export function placeOf(layout: Layout, row: number): Place {
  if (row < 0 || row >= layout.rows) return undefined;
  let low = 0;
  let high = layout.starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((layout.starts[middle] ?? 0) <= row) low = middle;
    else high = middle - 1;
  }
  const section = layout.sections[low];
  return section && { section, at: row - (layout.starts[low] ?? 0) - heading(section) };
}

/** The row of an alert of a section. */
export function rowOf(layout: Layout, key: string, at: number): number {
  const index = layout.sections.findIndex((section) => section.key === key);
  const section = layout.sections[index];
  return section && (section.open || at < 0) ? (layout.starts[index] ?? 0) + heading(section) + at : -1;
}

/** Pages that rows from `first` to `last` need: section and page, each once. */
export function pagesFor(layout: Layout, first: number, last: number, size: number): { section: Section; page: number }[] {
  const out: { section: Section; page: number }[] = [];
  for (let row = Math.max(0, first); row <= last && row < layout.rows; row += 1) {
    const place = placeOf(layout, row);
    if (!place || place.at < 0) continue;
    const page = Math.floor(place.at / size);
    const before = out.at(-1);
    if (before?.section !== place.section || before.page !== page) out.push({ section: place.section, page });
  }
  return out;
}
