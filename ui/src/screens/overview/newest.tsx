/** The newest alerts, to be gone through with j, k and Enter. */
import { useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useStatus } from '../../api/queries';
import type { Alert, Overview, Range } from '../../api/types';
import { originOf } from '../../lib/fields';
import { useKeys } from '../../lib/keys';
import { problemsIn } from '../../shell/health';
import { Icon, SeverityWord } from '../../parts/icons';
import { Panel, type Asked } from '../../parts/panel';
import { Ongoing } from '../../parts/ongoing';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { t } from '../../strings';

function AllClear({ data, range }: { data: Overview; range: Range }) {
  const status = useStatus();
  const problems = problemsIn(status.data);
  if (problems > 0) {
    return (
      <div className="state doubt">
        <Icon name="warn" size={28} />
        <p>{t.clear.doubt(problems)}</p>
      </div>
    );
  }
  return (
    <div className="state clear">
      <Icon name="check" size={28} />
      <h3>{t.clear.title}</h3>
      <p>{t.clear.text(data.events.total, t.overview.rangeWords[range])}</p>
      {status.data && <p className="note">{t.clear.rules(status.data.rules.loaded)}</p>}
    </div>
  );
}

function Item({ alert, fresh }: { alert: Alert; fresh: boolean }) {
  const core = alert.tocsin.alert;
  const origin = originOf(alert);
  return (
    <li className={fresh ? 'fresh' : ''} data-severity={core.severity}>
      <Link href={`/alerts/${encodeURIComponent(core.id)}`}>
        <span className="line">
          <SeverityWord severity={core.severity} />
          {origin !== undefined && <span className="mono origin"><Text text={origin} /></span>}
          <Ongoing alert={alert} />
          <Ago time={alert['@timestamp']} />
        </span>
        <b><Text text={alert.rule.name} /></b>
        <span className="reason"><Text text={core.reason} /></span>
      </Link>
    </li>
  );
}

/** Ids that were not there when the list was first drawn: worth a flash. */
function useFresh(alerts: readonly Alert[]): ReadonlySet<string> {
  const seen = useRef<Set<string> | null>(null);
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const ids = alerts.map((alert) => alert.tocsin.alert.id);
    if (seen.current === null) {
      if (ids.length > 0) seen.current = new Set(ids);
      return;
    }
    const before = seen.current;
    const arrived = ids.filter((id) => !before.has(id));
    if (arrived.length === 0) return;
    for (const id of arrived) before.add(id);
    setFresh(new Set(arrived));
  }, [alerts]);
  return fresh;
}

const NONE: Alert[] = [];

export function NewestPanel({ asked, data, range }: { asked: Asked; data: Overview | undefined; range: Range }) {
  const alerts = data?.newest_alerts ?? NONE;
  const fresh = useFresh(alerts);
  const list = useRef<HTMLUListElement>(null);
  const [, navigate] = useLocation();
  const move = (step: 1 | -1) => {
    const links = [...(list.current?.querySelectorAll('a') ?? [])];
    const at = links.findIndex((link) => link === document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
    links[next]?.focus();
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: () => navigate('/alerts'),
  });
  const all = <Link className="more" href="/alerts">{t.overview.all}<Icon name="arrow" size={12} /></Link>;
  return (
    <Panel title={t.overview.newest} className="newest" asked={asked} skeletonRows={8} tools={all}>
      {data && alerts.length === 0 && <AllClear data={data} range={range} />}
      <ul ref={list} data-testid="newest">
        {alerts.map((alert) => (
          <Item key={alert.tocsin.alert.id} alert={alert} fresh={fresh.has(alert.tocsin.alert.id)} />
        ))}
      </ul>
    </Panel>
  );
}
