/** The catalogue: a rule a row, with what it raised, what that was worth, and what it costs. */
import { Link } from 'wouter';
import type { Foreseen, Rule } from '../../api/content';
import { nanos } from '../../lib/cost';
import { number, percent } from '../../lib/time';
import { Icon, SeverityWord } from '../../parts/icons';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { t } from '../../strings';
import { w } from '../../words/rules';
import type { Figures, Sort } from './order';

interface ListProps {
  rules: readonly Rule[];
  cursor: string | undefined;
  open: string | undefined;
  search: string;
  sort: Sort;
  by: (sort: Sort) => void;
  figures: Figures;
}

export function List({ rules, cursor, open, search, sort, by, figures }: ListProps) {
  const { noise, foreseen } = figures;
  const head = (of: Sort, name: string, title?: string) => (
    <th scope="col" className="num" aria-sort={sort === of ? 'descending' : 'none'}>
      <button type="button" className="sort" title={title ?? w.sortBy(name)} onClick={() => by(of)}>{name}{sort === of && <Icon name="down" size={11} />}</button>
    </th>
  );
  return (
    <div className="rule-list" tabIndex={0} role="group" aria-label={w.list}>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{w.columns.severity}</th>
            <th scope="col">{w.columns.rule}</th>
            <th scope="col">{w.columns.pack}</th>
            <th scope="col">{w.columns.source}</th>
            {head('fired', w.columns.fired)}
            {head('fp', w.columns.fp)}
            {head('noise', w.columns.noise)}
            {head('cost', w.columns.cost, w.costHint)}
            {head('last', w.columns.last)}
            <th scope="col">{w.columns.attack}</th>
          </tr>
        </thead>
        <tbody>
          {rules.map((rule) => <Row key={rule.id} rule={rule} noise={noise.get(rule.id)} foreseen={foreseen.get(rule.id)} current={rule.id === cursor} open={rule.id === open} search={search} />)}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  rule: Rule;
  /** 0 to 100; absent where it raised nothing. */
  noise: number | undefined;
  /** Of a rule that is off. */
  foreseen: Foreseen | undefined;
  current: boolean;
  open: boolean;
  search: string;
}

function Row({ rule, noise, foreseen, current, open, search }: RowProps) {
  const classes = [current && 'current', open && 'open', !rule.enabled && 'off'].filter(Boolean).join(' ');
  return (
    <tr id={`rule-${rule.id}`} className={classes}>
      <td><SeverityWord severity={rule.severity} /></td>
      <th scope="row">
        <Link href={`/rules/${encodeURIComponent(rule.id)}${search}`} aria-current={open ? 'true' : undefined}><Text text={rule.title} /></Link>
        {!rule.enabled && <span className="tag">{w.off}</span>}
        {rule.own && <span className="tag">{w.saved}</span>}
      </th>
      <td>{rule.pack === '' ? <span className="note">{w.loose}</span> : <Text text={rule.pack} />}</td>
      <td><Reads rule={rule} /></td>
      <td className={rule.fired > 0 ? 'num strong' : 'num dim'}>
        {foreseen
          ? <span className="foreseen" title={w.foresight.would(foreseen.alerts, foreseen.days)}>{w.foresight.short(foreseen.alerts)}<span className="hidden">{w.foresight.would(foreseen.alerts, foreseen.days)}</span></span>
          : number(rule.fired)}
      </td>
      <td className="num">{rule.closed === 0 ? t.none : <span title={w.fp(percent(rule.false_positive / rule.closed), rule.closed)}>{percent(rule.false_positive / rule.closed)}</span>}</td>
      <td className="num">{noise === undefined ? t.none : number(noise)}</td>
      <td className="num">{rule.cost === null ? t.none : <span title={w.costOf(percent(rule.cost.share), percent(rule.cost.looked_at))}>{nanos(rule.cost.nanos_per_event)}</span>}</td>
      <td className="num">{rule.last_fired === null ? <span className="dim">{w.never}</span> : <Ago time={rule.last_fired} />}</td>
      <td className="mono techniques">{rule.techniques.join(' ')}</td>
    </tr>
  );
}

export function Reads({ rule }: { rule: Rule }) {
  return (
    <span className={rule.source_seen ? 'state-word working' : 'state-word silent'} title={rule.source_seen ? w.live : w.silent}>
      <Icon name={rule.source_seen ? 'check' : 'warn'} size={13} />
      <span className="hidden">{rule.source_seen ? w.live : w.silent}</span>
      <Text text={rule.log_source.replaceAll(/(?:category|product|service)=/g, '') || w.detail.sourceAny} />
    </span>
  );
}
