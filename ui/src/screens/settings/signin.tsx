/** The door: sign in, or make the first account. */
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { useMutation } from '@tanstack/react-query';
import { become, setUp, signIn } from '../../api/accounts';
import { Logo } from '../../parts/icons';
import { stream } from '../../live/stream';
import { t } from '../../strings';
import { w } from '../../words/settings';
import '../../styles/settings.css';
import '../../styles/alerts.css';

export function Door({ setup }: { setup: boolean }) {
  useEffect(() => {
    document.title = t.title(setup ? w.setup.title : w.signIn.title);
  }, [setup]);
  return (
    <main className="door">
      <div className="panel">
        <Logo />
        {setup ? <SetupForm /> : <SignInForm />}
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
}

export function Field({ label, type, value, set, complete, hint, first = false }: FieldProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (first) input.current?.focus();
  }, [first]);
  return (
    <p className="form-field">
      <label htmlFor={id}>{label}</label>
      <input ref={input} id={id} className="field-input" type={type} value={value} required autoComplete={complete} spellCheck={false} autoCapitalize="off" aria-describedby={hint === undefined ? undefined : `${id}-hint`} onChange={(event) => set(event.target.value)} />
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
