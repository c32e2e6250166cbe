/** Why nothing was found: nothing is stored at all, or nothing of it matches. */
import { Link } from 'wouter';
import { useFields } from '../../api/history';
import { ALL_TIME } from '../../lib/range';
import { useMinute } from '../../lib/now';
import { usePrefs } from '../../lib/prefs';
import type { SearchState } from '../../lib/search';
import { Icon } from '../../parts/icons';
import { rangeWords } from '../../parts/timerange';
import { w } from '../../words/search';

export function Nothing({ state, set }: { state: SearchState; set: (patch: Partial<SearchState>) => void }) {
  const { data } = useFields();
  const { zone } = usePrefs();
  const now = useMinute();
  if (data?.events === 0) {
    return (
      <div className="state doubt">
        <Icon name="warn" size={28} />
        <h2>{w.empty.noData}</h2>
        <p>{w.empty.noDataText}</p>
        <Link className="button" href="/sources">{w.empty.sources}</Link>
      </div>
    );
  }
  const bounded = state.last !== '' || state.from !== '' || state.to !== '';
  return (
    <div className="state filtered">
      <Icon name="search" size={28} />
      <h2>{w.empty.filtered}</h2>
      {data && <p>{w.empty.filteredText(data.events, rangeWords(state, now, zone))}</p>}
      {bounded && <button type="button" className="button" onClick={() => set(ALL_TIME)}>{w.empty.wider}</button>}
      {state.q !== '' && <button type="button" className="button" onClick={() => set({ q: '' })}>{w.empty.clear}</button>}
    </div>
  );
}
