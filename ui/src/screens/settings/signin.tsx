/** The door: sign in, or make the first account. */
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { useMutation } from '@tanstack/react-query';
import { become, setUp, signIn, startProvider } from '../../api/accounts';
import { Logo } from '../../parts/icons';
import { stream } from '../../live/stream';
import { t } from '../../strings';
import { w } from '../../words/settings';
import '../../styles/settings.css';
import '../../styles/alerts.css';

export function Door({ setup, provider }: { setup: boolean; provider: string | null }) {
  useEffect(() => {
    document.title = t.title(setup ? w.setup.title : w.signIn.title);
  }, [setup]);
  return (
    <main className="door">
      <div className="panel">
        <Logo />
        {setup ? <SetupForm /> : <SignInForm />}
        {!setup && provider !== null && <WithProvider name={provider} />}
      </div>
    </main>
  );
}

interface FieldProps {
  label: string;
  type: 'text' | 'password';
  value: string;
  set: (value: string) => void;
  complete: string;
  hint?: string;
  first?: boolean;
  optional?: boolean;
}

export function Field({ label, type, value, set, complete, hint, first = false, optional = false }: FieldProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (first) input.current?.focus();
  }, [first]);
  return (
    <p className="form-field">
      <label htmlFor={id}>{label}</label>
      <input ref={input} id={id} className="field-input" type={type} value={value} required={!optional} autoComplete={complete} spellCheck={false} autoCapitalize="off" aria-describedby={hint === undefined ? undefined : `${id}-hint`} onChange={(event) => set(event.target.value)} />
      {hint !== undefined && <span id={`${id}-hint`} className="note">{hint}</span>}
    </p>
  );
}

interface FormProps {
  error: Error | null;
  pending: boolean;
  go: string;
  submit: () => void;
  children: ReactNode;
}

export function Form({ error, pending, go, submit, children }: FormProps) {
  return (
    <form
      className="account-form"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {children}
      {error && <p role="alert" className="wrong">{error.message}</p>}
      <button type="submit" className="button primary" disabled={pending}>{go}</button>
    </form>
  );
}

const enter = (me: Parameters<typeof become>[0]) => {
  become(me);
  stream.retry();
};

function SignInForm() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { mutate, error, isPending } = useMutation({ mutationFn: signIn, onSuccess: enter, onError: () => setPassword('') });
  return (
    <Form error={error} pending={isPending} go={w.signIn.go} submit={() => mutate({ name: name.trim(), password })}>
      <h1>{w.signIn.title}</h1>
      <Field label={w.signIn.name} type="text" value={name} set={setName} complete="username" first />
      <Field label={w.signIn.password} type="password" value={password} set={setPassword} complete="current-password" />
    </Form>
  );
}

/** What the server says in the address when the provider's answer lets nobody in. */
const whyNot = () => new URLSearchParams(location.search).get('signin');

/** Where one wanted to go, without what was said about the last try. */
function wanted(): string {
  const params = new URLSearchParams(location.search);
  params.delete('signin');
  const query = params.toString();
  return location.pathname + (query === '' ? '' : `?${query}`);
}

function WithProvider({ name }: { name: string }) {
  const { mutate, error, isPending, isSuccess } = useMutation({
    mutationFn: () => startProvider(wanted()),
    onSuccess: ({ url }) => location.assign(url),
  });
  const why = whyNot();
  const known = why === null ? null : w.provider.why[why] ?? w.provider.other;
  const wrong = error?.message ?? (isPending || isSuccess ? null : known);
  return (
    <div className="account-form provider">
      <p className="or" aria-hidden="true">{w.provider.or}</p>
      {wrong !== null && <p role="alert" className="wrong">{wrong}</p>}
      <button type="button" className="button" disabled={isPending || isSuccess} onClick={() => mutate()}>{w.provider.go(name)}</button>
    </div>
  );
}

export function SetupForm() {
  const [token, setToken] = useState('');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { mutate, error, isPending } = useMutation({ mutationFn: setUp, onSuccess: enter });
  return (
    <Form error={error} pending={isPending} go={w.setup.go} submit={() => mutate({ token, name: name.trim(), password })}>
      <h1>{w.setup.title}</h1>
      <p className="note">{w.setup.text}</p>
      <Field label={w.setup.token} type="text" value={token} set={setToken} complete="one-time-code" first />
      <Field label={w.signIn.name} type="text" value={name} set={setName} complete="username" />
      <Field label={w.signIn.password} type="password" value={password} set={setPassword} complete="new-password" hint={w.setup.hint} />
    </Form>
  );
}
