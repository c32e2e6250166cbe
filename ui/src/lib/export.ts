/** Events as files. CSV cells that a spreadsheet would take for a formula are made text. Pure. */
import { flat, valuesAt, type EcsEvent } from './event';

/** What starts a formula in some spreadsheet; also tab and line breaks, which hide what follows. */
const FORMULA = /^[=+\-@\t\r\n|%]/;
const NUMBER = /^-?\d+(?:\.\d+)?$/;

export function csvCell(text: string): string {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n\t]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A header and a line for each event; several values of one field are separated by `; `. */
export function csv(events: readonly EcsEvent[], columns: readonly string[]): string {
  const lines = [columns.map(csvCell).join(',')];
  for (const event of events) {
    lines.push(columns.map((column) => csvCell(valuesAt(event, column).join('; '))).join(','));
  }
  return `${lines.join('\r\n')}\r\n`;
}

export const ndjson = (events: readonly EcsEvent[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');

/** The fields of some events, the time first: columns when none are chosen. */
export function columnsOf(events: readonly EcsEvent[]): string[] {
  const names = new Set<string>();
  for (const event of events) for (const [name] of flat(event)) names.add(name);
  names.delete('@timestamp');
  return ['@timestamp', ...[...names].toSorted()];
}

/** Hands a text to the browser as a file. */
export function download(name: string, kind: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
