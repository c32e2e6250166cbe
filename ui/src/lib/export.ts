/** Events as files. CSV cells that a spreadsheet would take for a formula are made text. Pure. */
import { valuesAt, type EcsEvent } from './event';

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

function click(set: (link: HTMLAnchorElement) => void) {
  const link = document.createElement('a');
  set(link);
  document.body.append(link);
  link.click();
  link.remove();
}

/** Hands a text to the browser as a file. */
export function download(name: string, kind: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  click((link) => {
    link.href = url;
    link.download = name;
  });
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Lets the browser write what the server sends, however much it is, under the name that the server gives. */
export function downloadFrom(path: string) {
  click((link) => {
    link.href = path;
    link.download = '';
  });
}
