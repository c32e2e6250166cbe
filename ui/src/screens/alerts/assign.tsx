/** Gives an alert to somebody, and tags to it. */
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import { useMe } from '../../api/accounts';
import { useFacets } from '../../api/triage';
import type { AlertChange, AlertCore } from '../../api/types';
import { NO_FILTER } from '../../lib/filter';
import { usePrefs } from '../../lib/prefs';
import { retagged, typedTags } from '../../lib/triage';
import { w } from '../../words/assign';

const OWNER_MAX = 100;
const TAGS_MAX = 1000;

/** Those who have alerts already, and oneself. */
function useNames(): string[] {
  const mine = usePrefs().name;
  const me = useMe().data?.name ?? mine;
  const owners = useFacets(NO_FILTER, 0).data?.facets.owner ?? [];
  return [...new Set([me, ...owners.map((owner) => owner.value)])].filter((name) => name !== '' && name !== '-');
}

interface Props {
  core: AlertCore;
  change: (wanted: AlertChange, words: string) => void;
  close: () => void;
}

export function Assign({ core, change, close }: Props) {
  const id = useId();
  const box = useRef<HTMLDialogElement>(null);
  const names = useNames();
  const had = core.tags ?? [];
  const [owner, setOwner] = useState(core.owner ?? '');
  const [tags, setTags] = useState(had.join(', '));
  useEffect(() => box.current?.showModal(), []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const who = owner.trim();
    const given = who === (core.owner ?? '') ? {} : { owner: who };
    const wanted = { ...given, ...retagged(had, typedTags(tags)) };
    if (Object.keys(wanted).length > 0) change(wanted, 'owner' in wanted ? w.assigned(who) : w.tagged);
    close();
  };
  return (
    <dialog ref={box} className="help except" aria-labelledby={id} onClose={close}>
      <form onSubmit={submit}>
        <h2 id={id}>{w.title}</h2>
        <label><span>{w.owner}</span><input type="text" value={owner} list={`${id}-names`} maxLength={OWNER_MAX} autoComplete="off" placeholder={w.ownerHint} onChange={(event) => setOwner(event.target.value)} /></label>
        <datalist id={`${id}-names`}>{names.map((name) => <option key={name}>{name}</option>)}</datalist>
        <label><span>{w.tags}</span><input type="text" value={tags} maxLength={TAGS_MAX} autoComplete="off" placeholder={w.tagsHint} onChange={(event) => setTags(event.target.value)} /></label>
        <p className="actions">
          <button type="button" className="button" onClick={close}>{w.cancel}</button>
          <button type="submit" className="button">{w.save}</button>
        </p>
      </form>
    </dialog>
  );
}
