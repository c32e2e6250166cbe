/** What waits for somebody, and who is at most risk: where an analyst begins. */
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { useMe } from '../../api/accounts';
import { getJson } from '../../api/client';
import { API } from '../../api/queries';
import type { AlertPage } from '../../api/types';
import { useRisks } from '../../api/watch';
import { printFilter } from '../../lib/filter';
import { usePrefs } from '../../lib/prefs';
import { number } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { w } from '../../words/panels';

const EVERY_MS = 15_000;
const LISTED = 6;
/** What should not wait. */
const URGENT = { status: ['new' as const], severity: ['critical' as const, 'high' as const] };

const asked = (params: Record<string, string>, signal: AbortSignal) => getJson<AlertPage>(`${API}/alerts`, { lines: 'false', ...params }, signal);

/** How many urgent alerts nobody has looked at, the oldest of them, and what is one's own. */
function useWaiting(name: string) {
  return useQuery({
    queryKey: ['alerts', 'waiting', name],
    queryFn: async ({ signal }) => {
      const urgent = { status: 'new', severity: URGENT.severity.join(',') };
      const [{ total }, mine] = await Promise.all([
        asked({ ...urgent, limit: '0' }, signal),
        name === '' ? null : asked({ owner: name, status: 'new,acknowledged', limit: '0' }, signal),
      ]);
      const last = total === 0 ? undefined : await asked({ ...urgent, limit: '1', skip: String(total - 1) }, signal);
      return { total, oldest: last?.alerts[0], mine: mine?.total ?? 0 };
    },
    refetchInterval: EVERY_MS,
  });
}

export function Waiting() {
  const mine = usePrefs().name;
  const name = useMe().data?.name ?? mine;
  const query = useWaiting(name);
  const { data } = query;
  const oldest = data?.oldest;
  return (
    <Panel title={w.work.title} className="ask of-work" asked={query} skeletonRows={3}>
      {data && data.total === 0 && <p className="calm"><Icon name="check" size={14} />{w.work.none}</p>}
      {data && data.total > 0 && (
        <p><Link className="link" href={`/alerts${printFilter(URGENT)}`}><b>{number(data.total)}</b> {w.work.urgent(data.total)}</Link></p>
      )}
      {oldest && (
        <p>{w.work.oldest} <Ago time={oldest['@timestamp']} />{': '}<Link className="link" href={`/alerts/${encodeURIComponent(oldest.tocsin.alert.id)}`}><Text text={oldest.rule.name} /></Link></p>
      )}
      {data && name !== '' && (
        <p><Link className="link" href={`/alerts${printFilter({ owner: name, status: ['new', 'acknowledged'] })}`}><b>{number(data.mine)}</b> {w.work.mine(data.mine)}</Link></p>
      )}
    </Panel>
  );
}

export function Risky() {
  const query = useRisks('', LISTED);
  const { entities = [], threshold = 0 } = query.data ?? {};
  const most = Math.max(threshold, ...entities.map((risk) => risk.score), 1);
  return (
    <Panel title={w.work.risk} className="ask of-top of-risk" asked={query} skeletonRows={5} tools={<Link className="link" href="/entities">{w.work.all}</Link>}>
      {query.data && entities.length === 0 && <p className="quiet">{w.work.noRisk}</p>}
      <ul className="risky">
        {entities.map((risk) => (
          <li key={`${risk.kind} ${risk.entity}`}>
            <span className="bar" aria-hidden="true"><i style={{ inlineSize: `${(100 * risk.score) / most}%` }} /></span>
            <Link className="mono" href={`/entities/${risk.kind}/${encodeURIComponent(risk.entity)}`}><Text text={risk.entity} /></Link>
            <span className="note"><Text text={risk.rules[0]?.[0] ?? ''} /></span>
            <b className="num">{number(Math.round(risk.score))}</b>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
