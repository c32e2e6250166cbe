/** Who did what to an alert, and what they said; a place to say more. */
import { useRef, useState } from 'react';
import { useMayChange } from '../../api/accounts';
import { useActivity, useChangeAlert } from '../../api/queries';
import type { Activity as Entry, Alert, Step } from '../../api/types';
import { useKeys } from '../../lib/keys';
import { usePrefs } from '../../lib/prefs';
import { Failure } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { t } from '../../strings';

export function Activity({ alert }: { alert: Alert }) {
  const { id, version } = alert.tocsin.alert;
  const query = useActivity(id, version);
  const mayChange = useMayChange();
  const entries = query.data?.activity ?? [];
  return (
    <section className="activity">
      <h3 id="activity-title">{t.triage.activity}</h3>
      {query.error && <Failure error={query.error} retry={query.refetch} />}
      {entries.length > 0 && (
        <ol data-testid="activity">
          {entries.map((entry) => (
            <li key={entry.version}>
              <p>
                <b><Text text={entry.who} /></b> <span><Text text={told(entry)} /></span> <Ago time={entry.time} />
              </p>
              {entry.comment !== null && <blockquote><Text text={entry.comment} /></blockquote>}
            </li>
          ))}
        </ol>
      )}
      {mayChange && <Comment id={id} />}
    </section>
  );
}

const told = (entry: Entry) =>
  entry.steps.length === 0 ? t.triage.said : entry.steps.map((step: Step) => t.triage.step(step.what, step.from, step.to)).join(', ');

function Comment({ id }: { id: string }) {
  const { name } = usePrefs();
  const [text, setText] = useState('');
  const box = useRef<HTMLTextAreaElement>(null);
  const { mutate, isPending, error } = useChangeAlert(id);
  useKeys({ c: () => box.current?.focus() });
  const send = () => {
    if (text.trim() === '' || isPending) return;
    mutate({ comment: text, ...(name === '' ? {} : { by: name }) }, { onSuccess: () => setText('') });
  };
  return (
    <form
      className="comment"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={box}
        rows={2}
        value={text}
        aria-label={t.triage.comment}
        placeholder={t.triage.comment}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
          if (event.key === 'Escape') box.current?.blur();
        }}
      />
      <button type="submit" className="button" disabled={text.trim() === '' || isPending}>{t.triage.send}</button>
      {error && <span role="alert" className="wrong">{error.message}</span>}
    </form>
  );
}
