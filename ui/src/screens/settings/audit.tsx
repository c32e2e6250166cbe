/** What was done, by whom and from where. */
import { useState } from 'react';
import { useAudit, type AuditEntry } from '../../api/accounts';
import { csv, download } from '../../lib/export';
import { Icon } from '../../parts/icons';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { FullTime } from '../../parts/time';
import { w } from '../../words/settings';

const COLUMNS = ['time', 'who', 'address', 'what', 'status'] as const;

export function Audit() {
  const [q, setQ] = useState('');
  const [before, setBefore] = useState('');
  const query = useAudit(q, before);
  const entries = query.data?.entries ?? [];
  const tools = (
    <>
      <label className="search small">
        <Icon name="search" size={12} />
        <span className="hidden">{w.audit.search}</span>
        <input
          type="search"
          value={q}
          placeholder={w.audit.search}
          onChange={(event) => {
            setQ(event.target.value);
            setBefore('');
          }}
        />
      </label>
      <button type="button" className="button" disabled={entries.length === 0} onClick={() => download('tocsin-audit.csv', 'text/csv;charset=utf-8', csv(entries.map((entry) => ({ ...entry })), COLUMNS))}>{w.audit.export}</button>
    </>
  );
  return (
    <Panel title={w.audit.title} className="audit" asked={query} skeletonRows={8} tools={tools}>
      {query.data && entries.length === 0 && <p className="quiet">{q === '' ? w.audit.none : w.audit.noMatch}</p>}
      {entries.length > 0 && <Entries entries={entries} />}
      <p className="pages">
        {before !== '' && <button type="button" className="text-button" onClick={() => setBefore('')}>{w.audit.newest}</button>}
        {query.data?.next !== null && query.data !== undefined && <button type="button" className="text-button" onClick={() => setBefore(String(query.data.next))}>{w.audit.older}</button>}
      </p>
    </Panel>
  );
}

function Entries({ entries }: { entries: readonly AuditEntry[] }) {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={w.audit.title}>
      <table className="plain">
        <thead>
          <tr>{COLUMNS.map((column) => <th key={column} scope="col">{w.audit[column]}</th>)}</tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.seq}>
              <td><FullTime time={entry.time} /></td>
              <th scope="row"><Text text={entry.who} /></th>
              <td className="mono"><Text text={entry.address} /></td>
              <td><Text text={entry.what} /></td>
              <td className={entry.status >= 400 ? 'hot' : ''}>{entry.status}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
