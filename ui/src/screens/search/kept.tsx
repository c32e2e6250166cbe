/** Searches that people keep: open one, keep the one on the page, remove one. */
import { useRef, useState, type KeyboardEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Link } from 'wouter';
import { useMayChange } from '../../api/accounts';
import { keepSearch, removeSearch, stateOf, useSearches, type Kept as KeptSearch } from '../../api/searches';
import { searchPath, type SearchState } from '../../lib/search';
import { Icon } from '../../parts/icons';
import { Failure, Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { w } from '../../words/kept';

export const KEPT_ID = 'kept-searches';

export function Kept({ state }: { state: SearchState }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const leave = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !open) return;
    event.stopPropagation();
    leave();
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- Escape closes what is open inside
    <div className="menu-box" onKeyDown={onKeyDown} onBlur={(event) => event.relatedTarget && !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}>
      <button ref={button} id={KEPT_ID} type="button" className="button" aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="save" size={13} />{w.kept.button}<kbd>{'w'}</kbd></button>
      {open && <Choice state={state} leave={leave} />}
    </div>
  );
}

function Choice({ state, leave }: { state: SearchState; leave: () => void }) {
  const query = useSearches();
  const searches = query.data?.searches ?? [];
  return (
    <div className="menu end kept" role="dialog" aria-label={w.kept.title}>
      <KeepForm state={state} known={searches} />
      {query.error && <Failure error={query.error} retry={query.refetch} />}
      {query.isPending && <Skeleton rows={3} />}
      {query.data && searches.length === 0 && <p className="quiet">{w.kept.none}</p>}
      {searches.length > 0 && (
        <ul aria-label={w.kept.title}>
          {searches.map((kept) => <Entry key={kept.id} kept={kept} leave={leave} />)}
        </ul>
      )}
    </div>
  );
}

function Entry({ kept, leave }: { kept: KeptSearch; leave: () => void }) {
  const remove = useMutation({ mutationFn: removeSearch });
  return (
    <li>
      <Link href={searchPath(stateOf(kept))} onClick={leave} title={kept.q}>
        <span><Text text={kept.name} /></span>
        <span className="note">{w.kept.of(kept.shared, kept.owner)}</span>
      </Link>
      {kept.yours && (
        <button type="button" className="icon-button small" disabled={remove.isPending} aria-label={w.kept.remove(kept.name)} title={w.kept.remove(kept.name)} onClick={() => remove.mutate(kept.id)}>
          <Icon name="close" size={12} />
        </button>
      )}
      {remove.error && <span className="wrong" role="alert"><Text text={remove.error.message} /></span>}
    </li>
  );
}

function KeepForm({ state, known }: { state: SearchState; known: readonly KeptSearch[] }) {
  const may = useMayChange();
  const [name, setName] = useState('');
  const [shared, setShared] = useState(false);
  const keep = useMutation({ mutationFn: () => keepSearch(name, shared, state), onSuccess: () => setName('') });
  const again = known.some((kept) => kept.yours && kept.name === name.trim());
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() !== '') keep.mutate();
      }}
    >
      {/* Whoever opens this wants to type a name or move on to the list. */}
      {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
      <label><span>{w.kept.name}</span><input autoFocus type="text" value={name} maxLength={100} autoComplete="off" onChange={(event) => setName(event.target.value)} /></label>
      {may && <label className="check"><input type="checkbox" checked={shared} onChange={(event) => setShared(event.target.checked)} />{w.kept.share}</label>}
      <button type="submit" className="button" disabled={name.trim() === '' || keep.isPending}>{again ? w.kept.replace : w.kept.keep}</button>
      <p className="note" role="status">{keep.data ? w.kept.done(keep.data.name) : ''}</p>
      {keep.error && <p className="wrong" role="alert"><Text text={keep.error.message} /></p>}
    </form>
  );
}
