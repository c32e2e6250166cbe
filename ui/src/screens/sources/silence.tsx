/** Sources that have gone quiet, with what cannot be detected without them; and those that send. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { useMayChange } from '../../api/accounts';
import { getJson } from '../../api/client';
import { API } from '../../api/queries';
import type { Alert } from '../../api/types';
import { forgetSource, useSilence, type Sending } from '../../api/watch';
import { clause } from '../../lib/kql';
import { searchPath } from '../../lib/search';
import { span } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Panel } from '../../parts/panel';
import { Sure } from '../../parts/sure';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { t } from '../../strings';
import { w } from '../../words/watch';

const ICONS = { silent: 'warn', sending: 'check', learning: 'minus', irregular: 'minus', ignored: 'minus' } as const;

export function Silence() {
  const query = useSilence();
  const sources = query.data?.sources ?? [];
  const silent = sources.filter((source) => source.condition === 'silent');
  const rest = sources.filter((source) => source.condition !== 'silent');
  return (
    <Panel title={w.silence.title} className="silence" asked={query} skeletonRows={3} tools={<span className="note">{w.silence.note}</span>}>
      {query.data && sources.length === 0 && <p className="quiet">{w.silence.none}</p>}
      {sources.length > 0 && silent.length === 0 && <p className="calm"><Icon name="check" size={14} />{w.silence.calm(rest.length)}</p>}
      {silent.length > 0 && <Table sources={silent} />}
      {rest.length > 0 && (
        <details className="rest">
          <summary>{w.silence.rest(rest.length)}</summary>
          <Table sources={rest} />
        </details>
      )}
    </Panel>
  );
}

function Table({ sources }: { sources: readonly Sending[] }) {
  const { columns } = w.silence;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={w.silence.title}>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{columns.state}</th>
            <th scope="col">{columns.source}</th>
            <th scope="col">{columns.host}</th>
            <th scope="col" className="num">{columns.last}</th>
            <th scope="col" className="num">{columns.usual}</th>
            <th scope="col" className="num">{columns.limit}</th>
            <th scope="col"><span className="hidden">{columns.forget}</span></th>
          </tr>
        </thead>
        <tbody>{sources.map((source) => <Row key={`${source.source} ${source.host}`} source={source} />)}</tbody>
      </table>
    </div>
  );
}

const secondsSpan = (seconds: number) => span(seconds * 1000);

function Row({ source }: { source: Sending }) {
  const mayChange = useMayChange();
  const forget = useMutation({ mutationFn: forgetSource });
  const silent = source.condition === 'silent';
  const query = [clause('event.dataset', source.source), ...(source.host === '' ? [] : [clause('host.name', source.host)])].join(' and ');
  return (
    <tr data-testid={silent ? 'silent' : undefined}>
      <td><span className={`state-word ${silent ? 'silent' : 'waiting'}`} title={w.silence.means[source.condition]}><Icon name={ICONS[source.condition]} size={13} />{w.silence.condition[source.condition]}</span></td>
      <th scope="row">
        <Link className="link mono" href={searchPath({ q: query })}><Text text={source.source} /></Link>
        {silent && source.alert !== null && <Blind id={source.alert} />}
        {forget.error && <span role="alert" className="wrong block">{forget.error.message}</span>}
        {forget.isSuccess && <span role="status" className="note block">{w.silence.forgotten}</span>}
      </th>
      <td className="mono">{source.host === '' ? w.silence.anyHost : <Text text={source.host} />}</td>
      <td className="num">{source.last === null ? w.silence.never : <Ago time={source.last} />}</td>
      <td className="num">{source.usual_seconds > 0 ? secondsSpan(source.usual_seconds) : t.none}</td>
      <td className="num">{source.limit_seconds === null ? t.none : secondsSpan(source.limit_seconds)}</td>
      <td className="does">{silent && mayChange && <Sure name={w.silence.forget} really={w.silence.really} does={() => forget.mutate({ source: source.source, host: source.host })} />}</td>
    </tr>
  );
}

/** What the alert says: also which rules are blind. */
function Blind({ id }: { id: string }) {
  const { data } = useQuery({
    queryKey: ['alert-reason', id],
    queryFn: ({ signal }) => getJson<Alert>(`${API}/alerts/${encodeURIComponent(id)}`, {}, signal),
    staleTime: 60_000,
  });
  return (
    <span className="note block">
      {data && <><Text text={data.tocsin.alert.reason} />{' '}</>}
      <Link className="link" href={`/alerts/${encodeURIComponent(id)}`}>{w.silence.alert}</Link>
    </span>
  );
}
