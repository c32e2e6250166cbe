/** Chooses a time range: presets, typed times, and the stretch before or after. Always says the zone. */
import { useId, useRef, useState, type KeyboardEvent } from 'react';
import { ALL_TIME, PRESETS, shifted, typedRange, type TimeRange } from '../lib/range';
import { useMinute } from '../lib/now';
import { usePrefs } from '../lib/prefs';
import { fullTime, millis, shortTime, zoneName, type Zone } from '../lib/time';
import { w } from '../words/search';
import { Icon } from './icons';

/** The range in words. Pure. */
export function rangeWords(range: TimeRange, now: number, zone: Zone): string {
  if (range.last !== '') return w.range.last(range.last);
  const at = (text: string) => shortTime(millis(text), now, zone);
  if (range.from !== '' && range.to !== '') return w.range.between(at(range.from), at(range.to));
  if (range.from !== '') return w.range.since(at(range.from));
  return range.to === '' ? w.range.all : w.range.until(at(range.to));
}

interface Props {
  range: TimeRange;
  set: (range: TimeRange) => void;
}

export function TimeRangePicker({ range, set }: Props) {
  const { zone } = usePrefs();
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const now = useMinute();
  const leave = () => {
    setOpen(false);
    button.current?.focus();
  };
  const choose = (next: TimeRange) => {
    set(next);
    leave();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !open) return;
    event.stopPropagation();
    leave();
  };
  const fixed = range.last === '' && range.from === '';
  const title = [range.from, range.to].filter((text) => text !== '').map((text) => fullTime(millis(text), zone)).join(' – ');
  return (
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- Escape closes what is open inside
    <div className="menu-box timerange" onKeyDown={onKeyDown} onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}>
      <button type="button" className="icon-button" disabled={fixed} aria-label={w.range.earlier} title={`${w.range.earlier} ([)`} onClick={() => set(shifted(range, -1, Date.now()))}><Icon name="back" size={14} /></button>
      <button ref={button} type="button" className="button" aria-haspopup="dialog" aria-expanded={open} title={title || undefined} onClick={() => setOpen(!open)}>
        <span className="hidden">{w.range.label}</span>
        {rangeWords(range, now, zone)}
        <span className="note">{zoneName(zone)}</span>
        <Icon name="down" size={12} />
      </button>
      <button type="button" className="icon-button" disabled={fixed} aria-label={w.range.later} title={`${w.range.later} (])`} onClick={() => set(shifted(range, 1, Date.now()))}><Icon name="forth" size={14} /></button>
      {open && <Choice range={range} zone={zone} choose={choose} />}
    </div>
  );
}

function Choice({ range, zone, choose }: { range: TimeRange; zone: Zone; choose: (range: TimeRange) => void }) {
  const id = useId();
  const [from, setFrom] = useState(range.last === '' ? typed(range.from, zone) : `-${range.last}`);
  const [to, setTo] = useState(typed(range.to, zone));
  const [wrong, setWrong] = useState(false);
  const apply = () => {
    const next = typedRange(from, to, Date.now(), zone);
    if (next) choose(next);
    else setWrong(true);
  };
  return (
    <div className="menu range-choice" role="dialog" aria-label={w.range.label}>
      <ul aria-label={w.range.presets}>
        {PRESETS.map((preset) => (
          <li key={preset}>
            <button type="button" aria-pressed={range.last === preset} onClick={() => choose({ last: preset, from: '', to: '' })}>{w.range.last(preset)}</button>
          </li>
        ))}
        <li><button type="button" aria-pressed={range.last === '' && range.from === '' && range.to === ''} onClick={() => choose(ALL_TIME)}>{w.range.all}</button></li>
      </ul>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          apply();
        }}
      >
        <label><span>{w.range.from}</span><input type="text" value={from} placeholder={w.range.fromHint} spellCheck={false} autoComplete="off" aria-invalid={wrong} aria-describedby={id} onChange={(event) => setFrom(event.target.value)} /></label>
        <label><span>{w.range.to}</span><input type="text" value={to} placeholder={w.range.toHint} spellCheck={false} autoComplete="off" aria-invalid={wrong} aria-describedby={id} onChange={(event) => setTo(event.target.value)} /></label>
        <p id={id} className={wrong ? 'note wrong' : 'note'} role={wrong ? 'alert' : undefined}>{wrong ? w.range.wrong : w.range.zone(zoneName(zone))}</p>
        <button type="submit" className="button">{w.range.apply}</button>
      </form>
    </div>
  );
}

/** A stored time as somebody would type it, in the zone. */
function typed(text: string, zone: Zone): string {
  if (text === '') return '';
  const at = new Date(text);
  const moved = zone === 'utc' ? at : new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return moved.toISOString().replace('T', ' ').replace(/(?:\.000)?Z$/, '');
}
