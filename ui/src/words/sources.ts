/** Words of the Sources screen. */
import { LOCALE } from '../strings';

const digits = new Intl.NumberFormat(LOCALE);
const n = (value: number) => digits.format(value);
const many = (value: number, one: string, more: string) => `${n(value)} ${value === 1 ? one : more}`;

export const w = {
  title: 'Sources & health',
  figures: { rate: 'Events per second', lag: 'Lag', stored: 'Stored', dropped: 'Dropped', unparsed: 'Not understood', understood: 'Understood' },
  figuresLabel: 'Figures',
  droppedWhy: (count: number, reason: string) => `${n(count)} × ${reason}`,
  nothingDropped: 'nothing was dropped',
  since: 'since the start',
  lastDay: 'last 24 hours',

  inputs: {
    title: 'Inputs',
    none: 'No input is configured, so nothing can arrive.',
    name: 'Input',
    from: 'From',
    received: 'Received',
    dropped: 'Dropped',
    last: 'Last event',
    state: 'State',
    never: 'never',
    working: 'working',
    silent: 'silent',
    problem: 'problem',
    waiting: 'nothing yet',
    silentHint: 'Nothing came for an hour, though something did before: rules that need it see nothing.',
  },

  sources: {
    title: 'Sources',
    note: 'as what the lines were understood, last 24 hours',
    name: 'Source',
    events: 'Events',
    day: '24 hours',
    last: 'Last event',
    hosts: 'Hosts',
    inputs: 'By',
    parsed: 'Understood',
    none: 'No event in the last 24 hours',
    noneText: 'Nothing arrives, so nothing can be detected.',
    all: (count: number) => `What else can be read: ${many(count, 'source', 'sources')}`,
    allHint: 'Nothing of these came in the last 24 hours. Open one to see what to switch on.',
    filter: 'Filter sources',
    noMatch: 'No source is called so',
    search: (name: string) => `Search events of ${name}`,
    paths: 'Usually in',
    setup: 'To switch on',
    spark: (name: string, total: number) => `${name}: ${many(total, 'event', 'events')} in 24 hours`,
    unparsed: (count: number) => many(count, 'line not understood', 'lines not understood'),
  },

  unparsed: {
    title: 'Not understood',
    note: 'by shape, since the start',
    all: 'Every line was understood',
    allText: (count: number) => `${many(count, 'event', 'events')} since the start.`,
    nothing: 'Nothing has come yet',
    count: (count: number) => many(count, 'line', 'lines'),
    by: (input: string) => `by ${input}`,
    taken: (source: string) => `taken by ${source}, which does not know the message`,
    samples: 'Samples',
    tryIt: 'Try it',
    forgotten: (count: number) => `${many(count, 'more line', 'more lines')} of shapes that are no longer listed`,
  },

  try: {
    title: 'Try a line',
    lines: 'Lines, one event each',
    placeholder: 'Paste lines here to see how they are read. Nothing is stored.',
    source: 'Read as',
    any: 'found by the line',
    run: 'Read',
    understood: (source: string) => `Read by ${source}`,
    unparsed: 'No source reads this line. It would be kept and searchable, with its words only.',
    frame: (frame: string) => `inside ${frame}`,
    hint: 'A source of your own: tocsin new source starts one from a sample.',
    result: 'Result',
  },
} as const;
