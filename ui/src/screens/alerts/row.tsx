/** One row of the list: an alert, the heading of a group, or a place where one will be. */
import { Fragment, memo, type MouseEvent } from 'react';
import type { Alert } from '../../api/types';
import type { Grouping } from '../../lib/filter';
import { originHeld, targetHeld, type Held } from '../../lib/fields';
import { number, percent } from '../../lib/time';
import { Icon, SeverityWord } from '../../parts/icons';
import { Ongoing } from '../../parts/ongoing';
import { Text } from '../../parts/text';
import { Clock } from '../../parts/time';
import { showValue } from '../../parts/value';
import { t } from '../../strings';
import { w } from '../../words/alerts';
import type { Section } from './layout';

/** A plain click belongs to the row; with a key held, the link opens a tab of its own. */
function leaveToRow(event: MouseEvent) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) event.stopPropagation();
  else event.preventDefault();
}

/** A value with a menu; the row takes the click, and v is its key. */
function Cell({ held }: { held: Held }) {
  return <span className="cell-value" data-field={held.field} data-value={held.value}><Text text={held.value} /></span>;
}

/** Opens the menu of the value that was clicked, if one was. */
function onValue(event: MouseEvent): boolean {
  const cell = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-field]') : null;
  if (!cell) return false;
  showValue(cell.dataset['field'] ?? '', cell.dataset['value'] ?? '', cell);
  return true;
}

export const rowId = (id: string) => `row-${id}`;

interface Place {
  index: number;
  top: number;
  current: boolean;
  selected: boolean;
}

interface SelectProps {
  what: string;
  checked: boolean;
  toggle: () => void;
}

function Select({ what, checked, toggle }: SelectProps) {
  return (
    <span role="gridcell" className="c-select">
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions -- x is its key */}
      <label onClick={(event) => event.stopPropagation()}>
        <span className="hidden">{w.select(what)}</span>
        <input type="checkbox" tabIndex={-1} checked={checked} onChange={toggle} />
      </label>
    </span>
  );
}

interface AlertRowProps extends Place {
  alert: Alert;
  /** Absent: the list is not grouped. */
  level: 2 | undefined;
  open: boolean;
  pick: (index: number) => void;
  select: (index: number) => void;
}

export const AlertRow = memo(function AlertRow({ alert, index, top, current, selected, level, open, pick, select }: AlertRowProps) {
  const core = alert.tocsin.alert;
  const origin = originHeld(alert);
  const target = targetHeld(alert);
  const classes = ['row', `sev-${core.severity}`, current && 'current', open && 'open', selected && 'selected', core.status !== 'new' && 'done', level === 2 && 'inner'];
  return (
    // The grid itself has the focus and the keys; a row only takes the pointer.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      role="row"
      id={rowId(core.id)}
      aria-rowindex={index + 2}
      aria-level={level}
      aria-selected={selected || current}
      className={classes.filter(Boolean).join(' ')}
      style={{ top }}
      onClick={(event) => {
        if (!onValue(event)) pick(index);
      }}
    >
      <Select what={alert.rule.name} checked={selected} toggle={() => select(index)} />
      <span role="gridcell" className="c-severity"><SeverityWord severity={core.severity} /></span>
      <span role="gridcell" className="c-seen"><Clock time={alert['@timestamp']} /></span>
      <span role="gridcell" className="c-alert">
        <a href={`/alerts/${encodeURIComponent(core.id)}`} tabIndex={-1} onClick={leaveToRow}><Text text={alert.rule.name} /></a>
        <Ongoing alert={alert} />
        {core.historical && <i className="tag">{t.alerts.historical}</i>}
        <span className="reason"><Text text={core.reason} /></span>
      </span>
      <span role="gridcell" className="c-source mono">{origin === undefined ? t.none : <Cell held={origin} />}</span>
      <span role="gridcell" className="c-target mono">{target.length === 0 ? t.none : target.map((held, at) => <Fragment key={held.field}>{at > 0 && '@'}<Cell held={held} /></Fragment>)}</span>
      <span role="gridcell" className="c-count num">{number(core.count)}</span>
      <span role="gridcell" className="c-status">{core.disposition === undefined ? t.status[core.status] : t.disposition[core.disposition]}</span>
    </div>
  );
});

/** Where an alert will be once its page has come. */
export const BlankRow = memo(function BlankRow({ index, top, current }: { index: number; top: number; current: boolean }) {
  return (
    <div role="row" aria-rowindex={index + 2} className={current ? 'row blank current' : 'row blank'} style={{ top }}>
      <span role="gridcell" className="hidden">{w.loadingRow}</span>
    </div>
  );
});

/** Twelve bars. */
function Bars({ values, label }: { values: readonly number[]; label: string }) {
  const most = Math.max(1, ...values);
  return (
    <svg className="bars" viewBox="0 0 60 16" role="img" aria-label={label}>
      {values.map((value, at) => value > 0 && <rect key={at} x={at * 5} width="4" y={16 - Math.max(1.5, (15 * value) / most)} height={Math.max(1.5, (15 * value) / most)} />)}
    </svg>
  );
}

interface GroupRowProps extends Place {
  section: Section;
  by: Grouping | '';
  toggle: (index: number) => void;
  select: (index: number) => void;
}

export const GroupRow = memo(function GroupRow({ section, by, index, top, current, selected, toggle, select }: GroupRowProps) {
  const { group } = section;
  if (!group) return null;
  const title = w.groupTitle(by, group.title, group.query);
  const judged = group.closed > 0 ? w.falsePositives(percent(group.false_positive / group.closed)) : '';
  const classes = ['row', 'group', `sev-${group.severity}`, current && 'current', selected && 'selected'];
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      role="row"
      id={rowId(`group-${index}`)}
      aria-rowindex={index + 2}
      aria-level={1}
      aria-expanded={section.open}
      aria-selected={selected || current}
      aria-label={w.groupRow(t.severity[group.severity], title, group.alerts)}
      className={classes.filter(Boolean).join(' ')}
      style={{ top }}
      title={section.open ? w.collapse : w.expand}
      onClick={() => toggle(index)}
    >
      <Select what={title} checked={selected} toggle={() => select(index)} />
      <span role="gridcell" className="c-severity"><SeverityWord severity={group.severity} /></span>
      <span role="gridcell" className="c-seen"><Clock time={group.last} /></span>
      <span role="gridcell" className="c-alert">
        <Icon name={section.open ? 'down' : 'forth'} size={12} />
        <b><Text text={title} /></b>
        <span className="reason">
          {by !== 'source' && by !== 'rule_source' && group.sources > 1 && <span>{w.sources(group.sources)}</span>}
          {by !== 'rule' && by !== 'rule_source' && group.rules > 1 && <span>{w.rules(group.rules)}</span>}
        </span>
      </span>
      <span role="gridcell" className="c-source"><Bars values={group.spark} label={w.spark(title)} /></span>
      <span role="gridcell" className="c-target">{judged}</span>
      <span role="gridcell" className="c-count num"><b>{number(group.alerts)}</b></span>
      <span role="gridcell" className="c-status">{w.open(group.open)}</span>
    </div>
  );
});

export function Head({ all, allSelected, toggleAll }: { all: boolean; allSelected: boolean; toggleAll: () => void }) {
  const { columns } = t.alerts;
  return (
    <div role="row" aria-rowindex={1} className="row head">
      <span role="columnheader" className="c-select">
        {all && (
          <label title={`${w.selectAll} (*)`}>
            <span className="hidden">{w.selectAll}</span>
            <input type="checkbox" tabIndex={-1} checked={allSelected} onChange={toggleAll} />
          </label>
        )}
      </span>
      <span role="columnheader" className="c-severity">{columns.severity}</span>
      <span role="columnheader" className="c-seen">{columns.raised}</span>
      <span role="columnheader" className="c-alert">{columns.alert}</span>
      <span role="columnheader" className="c-source">{columns.source}</span>
      <span role="columnheader" className="c-target">{columns.target}</span>
      <span role="columnheader" className="c-count num">{columns.count}</span>
      <span role="columnheader" className="c-status">{columns.status}</span>
    </div>
  );
}
