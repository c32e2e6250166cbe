/** Export and copies of the search. */
import { useState } from 'react';
import { search, type Question } from '../../api/history';
import { copy } from '../../lib/copy';
import type { EcsEvent } from '../../lib/event';
import { columnsOf, csv, download, ndjson } from '../../lib/export';
import { printSearch, type SearchState } from '../../lib/search';
import { Icon } from '../../parts/icons';
import { Menu } from '../../parts/menu';
import { w } from '../../words/search';

const EXPORT_MAX = 20_000;
const PAGE = 1000;

interface Props {
  state: SearchState;
  question: Question;
  total: number;
}

const shellWord = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bodyOf({ q, from, to, order }: Question) {
  return { q, order, ...(from === '' ? {} : { from }), ...(to === '' ? {} : { to }) };
}

/** Everything that was found, page by page, up to the limit. */
async function all(question: Question, tell: (count: number) => void): Promise<EcsEvent[]> {
  const events: EcsEvent[] = [];
  let cursor: string | undefined;
  do {
    // Each page needs the cursor of the one before.
    // oxlint-disable-next-line no-await-in-loop
    const page = await search({ ...bodyOf(question), limit: PAGE, cursor });
    events.push(...page.events);
    tell(events.length);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && events.length < EXPORT_MAX);
  return events;
}

export function More({ state, question, total }: Props) {
  const [said, setSaid] = useState('');
  const save = async (kind: 'csv' | 'ndjson') => {
    try {
      const events = await all(question, (count) => setSaid(w.more.exporting(count)));
      const name = `tocsin-${new Date(question.run).toISOString().replaceAll(/[:.]/g, '-')}`;
      if (kind === 'csv') {
        const columns = state.columns.length > 0 ? ['@timestamp', ...state.columns] : columnsOf(events);
        download(`${name}.csv`, 'text/csv;charset=utf-8', csv(events, columns));
      } else download(`${name}.ndjson`, 'application/x-ndjson', ndjson(events));
      setSaid(events.length < total ? w.more.exportedCut(events.length, total) : w.more.exported(events.length));
    } catch (cause) {
      setSaid(w.more.failed(cause instanceof Error ? cause.message : String(cause)));
    }
  };
  const take = async (text: string) => setSaid((await copy(text)) ? w.row.copied : '');
  const curl = () => `curl -s ${shellWord(`${location.origin}/api/v1/search`)} -H 'content-type: application/json' -d ${shellWord(JSON.stringify({ ...bodyOf(question), limit: PAGE }))}`;
  const items = [
    { name: w.more.csv, does: () => void save('csv') },
    { name: w.more.ndjson, does: () => void save('ndjson') },
    { name: w.more.curl, does: () => void take(curl()) },
    { name: w.more.link, does: () => void take(`${location.origin}/search${printSearch(state)}`) },
  ];
  return (
    <>
      <Menu label={w.more.menu} className="icon-button" items={items}><Icon name="dots" /></Menu>
      <span role="status" className="note said">{said}</span>
    </>
  );
}
