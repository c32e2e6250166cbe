/** ATT&CK coverage in three states: covered, blind, none. Each cell says it in words too. */
import { Link } from 'wouter';
import type { Rule } from '../../api/content';
import { matrix, type Cell, type Coverage } from '../../lib/attack';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { w } from '../../words/rules';

const STATES: readonly Coverage[] = ['covered', 'blind', 'none'];
const ICONS = { covered: 'check', blind: 'warn', none: 'minus' } as const;

export function Matrix({ rules, search }: { rules: readonly Rule[]; search: string }) {
  const tactics = matrix(rules);
  return (
    <div className="matrix" tabIndex={0} role="group" aria-label={w.matrix}>
      <ul className="legend" aria-label={w.matrixText.legend}>
        {STATES.map((state) => <li key={state} className={`cell ${state}`}><Icon name={ICONS[state]} size={12} />{w.matrixText[state]}</li>)}
        <li className="note">{w.matrixText.note}</li>
      </ul>
      <div className="tactics">
        {tactics.map((tactic) => (
          <section key={tactic.slug} aria-labelledby={`tactic-${tactic.slug}`}>
            <h2 id={`tactic-${tactic.slug}`}>{tactic.name}</h2>
            <p className="note">{w.matrixText.share(tactic.cells.filter((cell) => cell.state === 'covered').length, tactic.cells.length)}</p>
            <ul>{tactic.cells.map((cell) => <li key={cell.id}><Technique cell={cell} search={search} /></li>)}</ul>
          </section>
        ))}
      </div>
    </div>
  );
}

function Technique({ cell, search }: { cell: Cell<Rule>; search: string }) {
  const words = w.matrixText.technique(cell.id, cell.name, cell.state, cell.rules.length);
  const inside = (
    <>
      <span className="mono"><Icon name={ICONS[cell.state]} size={11} />{cell.id}</span>
      <span>{cell.name}</span>
    </>
  );
  if (cell.rules.length === 0) return <div className="cell none" title={words}>{inside}</div>;
  return (
    <details className={`cell ${cell.state}`}>
      <summary title={words}>{inside}<b className="num">{cell.rules.length}</b></summary>
      <ul>{cell.rules.map((rule) => <li key={rule.id}><Link href={`/rules/${encodeURIComponent(rule.id)}${search}`}><Text text={rule.title} /></Link></li>)}</ul>
    </details>
  );
}
