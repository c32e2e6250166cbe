/** Other alerts of the same address, user or host: one attack is seldom alone. */
import { Link } from 'wouter';
import { useRelated } from '../../api/queries';
import type { Alert } from '../../api/types';
import { firstText } from '../../lib/fields';
import { printFilter } from '../../lib/filter';
import { SeverityMark } from '../../parts/icons';
import { Text } from '../../parts/text';
import { Clock } from '../../parts/time';
import { t } from '../../strings';

const SHOWN_MAX = 5;

export function Related({ alert }: { alert: Alert }) {
  const value = firstText(alert, 'source.ip', 'user.name', 'host.name') ?? Object.values(alert.tocsin.alert.group)[0];
  return value === undefined ? null : <List alert={alert} value={value} />;
}

function List({ alert, value }: { alert: Alert; value: string }) {
  const { data } = useRelated(value, SHOWN_MAX + 1);
  if (!data) return null;
  const id = alert.tocsin.alert.id;
  const others = data.alerts.filter((other) => other.tocsin.alert.id !== id).slice(0, SHOWN_MAX);
  const all = `/alerts${printFilter({ q: value })}`;
  return (
    <section className="related" data-testid="related">
      <h3>
        <span>{t.detail.related} <span className="mono"><Text text={value} /></span></span>
        {data.total > others.length && others.length > 0 && <Link href={all} className="note">{t.detail.relatedAll(data.total)}</Link>}
      </h3>
      {others.length === 0 && <p className="note">{t.detail.relatedNone}</p>}
      <ul>
        {others.map((other) => {
          const core = other.tocsin.alert;
          return (
            <li key={core.id}>
              <Link href={`/alerts/${encodeURIComponent(core.id)}`}>
                <SeverityMark severity={core.severity} />
                <span className="hidden">{t.severity[core.severity]}</span>
                <b><Text text={other.rule.name} /></b>
                <span className="reason"><Text text={core.reason} /></span>
                <Clock time={other['@timestamp']} />
              </Link>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
