/** What alerts add up to: who is at most risk, and what one entity's risk is made of. */
import { Link } from 'wouter';
import { useRisk, useRisks, type EntityKind, type Risk } from '../../api/watch';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Ago, FullTime } from '../../parts/time';
import { t } from '../../strings';
import { w } from '../../words/watch';

const LISTED = 12;
/** Rules that are named beside a score. */
const NAMED = 2;

const pageOf = ({ kind, entity }: Risk) => `/entities/${kind}/${encodeURIComponent(entity)}`;

export function AtRisk() {
  const query = useRisks('', LISTED);
  const { entities = [], threshold = 0, half_life_hours: hours = 0 } = query.data ?? {};
  return (
    <Panel title={w.risk.list} className="at-risk" asked={query} skeletonRows={5} tools={query.data && <span className="note">{w.risk.note(threshold, hours)}</span>}>
      {query.data && entities.length === 0 && <p className="quiet">{w.risk.none}</p>}
      {entities.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={w.risk.list}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{w.risk.entity}</th>
                <th scope="col">{w.risk.points}</th>
                <th scope="col">{w.risk.why}</th>
                <th scope="col" className="num">{w.risk.last}</th>
              </tr>
            </thead>
            <tbody>
              {entities.map((risk) => (
                <tr key={`${risk.kind} ${risk.entity}`}>
                  <th scope="row"><Link className="link mono" href={pageOf(risk)}><Text text={risk.entity} /></Link> <span className="note">{w.risk.kind[risk.kind]}</span></th>
                  <td><Score score={risk.score} threshold={threshold} /></td>
                  <td>
                    {risk.rules.slice(0, NAMED).map(([title, points]) => <span key={title} className="block"><Text text={title} /> <span className="note">{w.risk.score(points)}</span></span>)}
                    {risk.rules.length > NAMED && <span className="note block">{w.risk.more(risk.rules.length - NAMED)}</span>}
                  </td>
                  <td className="num"><Ago time={risk.last} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Score({ score, threshold }: { score: number; threshold: number }) {
  const share = threshold > 0 ? Math.min(1, score / threshold) : 0;
  return (
    <span className={share >= 1 ? 'score over' : 'score'}>
      <b>{w.risk.score(score)}</b>
      <span className="track" aria-hidden="true"><i style={{ inlineSize: `${100 * share}%` }} /></span>
    </span>
  );
}

export function RiskOf({ kind, entity }: { kind: EntityKind; entity: string }) {
  const query = useRisk(kind, entity);
  const risk = query.data;
  const threshold = useRisks('', LISTED).data?.threshold ?? 0;
  return (
    <Panel title={w.risk.title} className="risk" asked={query} skeletonRows={4} tools={risk ? <b data-testid="risk">{w.risk.of(risk.score, threshold)}</b> : null}>
      {risk === null && <p className="quiet">{w.risk.noneOf}</p>}
      {risk && (
        <div className="scroll" tabIndex={0} role="group" aria-label={w.risk.title}>
          <table className="plain">
            <thead><tr><th scope="col">{w.risk.part}</th><th scope="col">{w.risk.when}</th><th scope="col" className="num">{w.risk.now}</th></tr></thead>
            <tbody>
              {(risk.parts ?? []).slice(0, LISTED).map((part) => (
                <tr key={part.alert_id}>
                  <th scope="row"><Link className="link" href={`/alerts/${encodeURIComponent(part.alert_id)}`}><Text text={part.title} /></Link></th>
                  <td><FullTime time={part.time} /></td>
                  <td className="num">{part.harmless === null ? w.risk.score(part.now) : w.risk.harmless(t.disposition[part.harmless as keyof typeof t.disposition] ?? part.harmless)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
