/** Lines read for a try, as they would be read if they came in. */
import { useEffect, useId, useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { parseLines, type ParsedLine } from '../../api/sources';
import { flat } from '../../lib/event';
import { Icon } from '../../parts/icons';
import { Failure } from '../../parts/panel';
import { Text } from '../../parts/text';
import { w } from '../../words/sources';

const LINES_MAX = 100;

interface Props {
  /** Read at once when it is not empty. */
  line: string;
  sources: readonly string[];
}

export function TryOut({ line, sources }: Props) {
  const id = useId();
  const [text, setText] = useState(line);
  const [source, setSource] = useState('');
  const { mutate, data, error, isPending } = useMutation({ mutationFn: parseLines });
  useEffect(() => {
    if (line !== '') mutate({ lines: [line] });
  }, [line, mutate]);
  const run = () => {
    const lines = text.split('\n').filter((each) => each.trim() !== '').slice(0, LINES_MAX);
    if (lines.length > 0) mutate({ lines, ...(source === '' ? {} : { source }) });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <textarea
        className="mono"
        rows={4}
        value={text}
        aria-label={w.try.lines}
        placeholder={w.try.placeholder}
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run();
        }}
      />
      <div className="line">
        <label htmlFor={id} className="note">{w.try.source}</label>
        <select id={id} value={source} onChange={(event) => setSource(event.target.value)}>
          <option value="">{w.try.any}</option>
          {sources.toSorted().map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        <button type="submit" className="button" disabled={text.trim() === '' || isPending}>{w.try.run}</button>
      </div>
      {error && <Failure error={error} retry={run} />}
      <div role="status" aria-label={w.try.result} data-testid="tried">
        {data?.parsed.map((parsed, at) => <Read key={at} parsed={parsed} />)}
      </div>
    </form>
  );
}

/** Fields that say nothing of the line. */
const DULL = new Set(['event.original', 'event.ingested', 'event.id', 'tocsin.input']);

function Read({ parsed }: { parsed: ParsedLine }) {
  const fields = flat(parsed.event).filter(([name]) => !DULL.has(name));
  return (
    <div className="read">
      <p className={parsed.source === null ? 'note warn' : 'note fine'}>
        <Icon name={parsed.source === null ? 'warn' : 'check'} size={13} />
        {parsed.source === null ? w.try.unparsed : <Text text={w.try.understood(parsed.source)} />}
        {parsed.frame !== '' && <Text text={w.try.frame(parsed.frame)} />}
      </p>
      {parsed.source === null ? <p className="note">{w.try.hint}</p> : <p className="note"><Text text={parsed.why} /></p>}
      <table className="fields mono">
        <tbody>
          {fields.map(([name, values]) => (
            <tr key={name}>
              <th scope="row"><Text text={name} /></th>
              <td>{values.map((value, at) => <span key={at}><Text text={value} /></span>)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
