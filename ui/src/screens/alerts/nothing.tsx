/** Why the list is empty: the filter hides all, nothing matched yet, or nothing arrives at all. */
import { useStatus } from '../../api/queries';
import { problemsIn } from '../../shell/health';
import { Icon } from '../../parts/icons';
import { t } from '../../strings';

export function Nothing({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  const status = useStatus().data;
  if (filtered) {
    return (
      <div className="state filtered">
        <Icon name="search" size={28} />
        <h2>{t.alerts.filtered(status?.alerts.total ?? 0)}</h2>
        {(status?.alerts.total ?? 0) > 0 && <p>{t.alerts.filteredText}</p>}
        <button type="button" className="button" onClick={clear}>{t.alerts.clear}</button>
      </div>
    );
  }
  if (status && status.events.received === 0) {
    return (
      <div className="state doubt">
        <Icon name="warn" size={28} />
        <h2>{t.alerts.noEvents}</h2>
        <p>{t.empty.text}</p>
      </div>
    );
  }
  const problems = problemsIn(status);
  return (
    <div className={problems > 0 ? 'state doubt' : 'state clear'}>
      <Icon name={problems > 0 ? 'warn' : 'check'} size={28} />
      <h2>{t.alerts.none}</h2>
      {problems > 0 && <p>{t.clear.doubt(problems)}</p>}
      {status && <p>{t.alerts.noneText(status.events.received, status.rules.loaded)}</p>}
    </div>
  );
}
