/** Keyboard help; `?` opens it. */
import { useRef } from 'react';
import { useKeys } from '../lib/keys';
import { usePrefs } from '../lib/prefs';
import { Icon } from '../parts/icons';
import { t } from '../strings';

/** Stands for the keys in between. */
const RANGE = '…';

/** Keys of one line: alternatives, each a sequence. */
const LINES: readonly [keys: readonly (readonly string[])[], what: string][] = [
  [[['j'], ['k']], t.help.move],
  [[['Enter']], t.help.enter],
  [[['Esc']], t.help.escape],
  [[['/']], t.help.search],
  [[['.']], t.help.load],
  [[['1', RANGE, '5']], t.help.severities],
  [[['y']], t.help.copy],
  [[['a']], t.help.acknowledge],
  [[['e', '1', RANGE, '5']], t.help.closeAs],
  [[['i']], t.help.take],
  [[['I']], t.help.assign],
  [[['c']], t.help.comment],
  [[['z']], t.help.undo],
  [[['x'], ['X']], t.help.select],
  [[['*']], t.help.selectAll],
  [[['→'], ['←']], t.help.unfold],
  [[['f']], t.help.facets],
  [[['v']], t.help.value],
  [[['b']], t.help.block],
  [[['t']], t.help.except],
  [[['g', 'o']], t.help.goOverview],
  [[['g', 'a']], t.help.goAlerts],
  [[['g', 's']], t.help.goSearch],
  [[['g', 'r']], t.help.goRules],
  [[['g', 'e']], t.help.goEntities],
  [[['g', 'h']], t.help.goSources],
  [[['g', ',']], t.help.goSettings],
  [[['Enter'], ['o']], t.help.expand],
  [[['r']], t.help.again],
  [[['l']], t.help.live],
  [[['s']], t.help.saveRule],
  [[['w']], t.help.kept],
  [[['['], [']']], t.help.shift],
  [[['Ctrl K']], t.help.palette],
  [[['?']], t.help.help],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { keys } = usePrefs();
  const open = () => dialog.current?.showModal();
  useKeys({ '?': open });
  return (
    <>
      <button type="button" className="icon-button" onClick={open} aria-label={t.help.open} title={`${t.help.open} (?)`}>
        <Icon name="keyboard" />
      </button>
      <dialog ref={dialog} className="help" aria-labelledby="help-title">
        <div className="head">
          <h2 id="help-title">{t.help.title}</h2>
          <form method="dialog">
            <button type="submit" className="icon-button" aria-label={t.help.close}><Icon name="close" /></button>
          </form>
        </div>
        {!keys && <p className="note">{t.help.off}</p>}
        <dl>
          {LINES.map(([alternatives, what]) => (
            <div key={what}>
              <dt>{alternatives.map((sequence, at) => <Keys key={at} sequence={sequence} first={at === 0} />)}</dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <p className="foot"><a href="/licences.txt">{t.help.licences}</a></p>
      </dialog>
    </>
  );
}

function Keys({ sequence, first }: { sequence: readonly string[]; first: boolean }) {
  return (
    <>
      {!first && <span>{t.help.or}</span>}
      {sequence.map((key, at) => (
        <span key={key} className="keys">
          {at > 0 && !sequence.includes(RANGE) && <span>{t.help.next}</span>}
          {key === RANGE ? <span>{RANGE}</span> : <kbd>{key}</kbd>}
        </span>
      ))}
    </>
  );
}
