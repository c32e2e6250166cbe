/** Export and copies of the search. */
import { useState } from 'react';
import type { Question } from '../../api/history';
import { API } from '../../api/queries';
import { copy } from '../../lib/copy';
import { downloadFrom } from '../../lib/export';
import { printSearch, type SearchState } from '../../lib/search';
import { Icon } from '../../parts/icons';
import { Menu } from '../../parts/menu';
import { w } from '../../words/search';

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

export function More({ state, question, total }: Props) {
  const [said, setSaid] = useState('');
  const save = (format: 'csv' | 'ndjson') => {
    const columns: Record<string, string> = format === 'csv' && state.columns.length > 0 ? { fields: state.columns.join(',') } : {};
    // The browser writes what the server sends, however much it is.
    downloadFrom(`${API}/search/export?${new URLSearchParams({ ...bodyOf(question), format, ...columns }).toString()}`);
    setSaid(w.more.exporting(total));
  };
  const take = async (text: string) => setSaid((await copy(text)) ? w.row.copied : '');
  const curl = () => `curl -s ${shellWord(`${location.origin}/api/v1/search`)} -H 'content-type: application/json' -d ${shellWord(JSON.stringify({ ...bodyOf(question), limit: PAGE }))}`;
  const items = [
    { name: w.more.csv, does: () => save('csv') },
    { name: w.more.ndjson, does: () => save('ndjson') },
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
