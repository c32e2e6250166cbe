/** Users, tokens and sessions, for administrators. */
import { useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import {
  addToken, addUser, changeUser, endSessions, refreshManaged, removeToken, removeUser, ROLES, SCOPES,
  useSessions, useTokens, useUsers, type Role, type Scope, type User,
} from '../../api/accounts';
import { copy } from '../../lib/copy';
import { number } from '../../lib/time';
import { Panel } from '../../parts/panel';
import { Sure } from '../../parts/sure';
import { Text } from '../../parts/text';
import { Ago, FullTime } from '../../parts/time';
import { w } from '../../words/settings';
import { Field, Form } from './signin';

export function Users() {
  const query = useUsers();
  return (
    <>
      <Panel title={w.users.title} className="users" asked={query} skeletonRows={4}>
        <div className="scroll" tabIndex={0} role="group" aria-label={w.users.title}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{w.users.name}</th>
                <th scope="col">{w.users.role}</th>
                <th scope="col">{w.users.created}</th>
                <th scope="col" className="num">{w.users.sessions}</th>
                <th scope="col"><span className="hidden">{w.users.remove}</span></th>
              </tr>
            </thead>
            <tbody>{query.data?.users.map((user) => <UserRow key={user.name} user={user} />)}</tbody>
          </table>
        </div>
      </Panel>
      <AddUser />
    </>
  );
}

function UserRow({ user }: { user: User }) {
  const change = useMutation({ mutationFn: changeUser, onSettled: refreshManaged });
  const remove = useMutation({ mutationFn: removeUser, onSettled: refreshManaged });
  const [password, setPassword] = useState('');
  const error = change.error ?? remove.error;
  const set = () => change.mutate({ name: user.name, password }, { onSuccess: () => setPassword('') });
  return (
    <tr>
      <th scope="row"><Text text={user.name} />{error && <span role="alert" className="wrong block">{error.message}</span>}</th>
      <td>
        {user.provided && w.role[user.role]}
        {!user.provided && <select aria-label={w.users.roleOf(user.name)} value={user.role} onChange={(event) => change.mutate({ name: user.name, role: event.target.value as Role })}>
          {ROLES.map((role) => <option key={role} value={role}>{w.role[role]}</option>)}
        </select>}
      </td>
      <td><FullTime time={user.created} /></td>
      <td className="num">{number(user.sessions)}</td>
      <td className="does">
        {user.provided && <span className="note">{w.users.byProvider}</span>}
        {!user.provided && <><input type="password" className="field-input" aria-label={w.users.newPasswordOf(user.name)} placeholder={w.users.newPassword} value={password} autoComplete="new-password" onChange={(event) => setPassword(event.target.value)} />
        <button type="button" className="button" disabled={password === ''} onClick={set}>{w.users.set}</button></>}
        <Sure name={w.users.remove} really={w.users.really} does={() => remove.mutate(user.name)} />
      </td>
    </tr>
  );
}

function AddUser() {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('analyst');
  const [password, setPassword] = useState('');
  const { mutate, error, isPending, variables, isSuccess } = useMutation({
    mutationFn: addUser,
    onSuccess: () => {
      setName('');
      setPassword('');
      void refreshManaged();
    },
  });
  return (
    <section className="panel narrow" aria-labelledby="add-user">
      <header><h2 id="add-user">{w.users.add}</h2></header>
      <div className="body">
        <Form error={error} pending={isPending} go={w.users.go} submit={() => mutate({ name: name.trim(), role, password })}>
          <Field label={w.users.name} type="text" value={name} set={setName} complete="off" />
          <p className="form-field">
            <label htmlFor="new-role">{w.users.role}</label>
            <select id="new-role" value={role} onChange={(event) => setRole(event.target.value as Role)}>
              {ROLES.map((each) => <option key={each} value={each}>{`${w.role[each]}: ${w.roleMeans[each]}`}</option>)}
            </select>
          </p>
          <Field label={w.users.password} type="password" value={password} set={setPassword} complete="new-password" hint={w.setup.hint} />
          <span role="status" className="note">{isSuccess ? w.users.added(variables.name) : ''}</span>
        </Form>
      </div>
    </section>
  );
}

export function Tokens() {
  const query = useTokens();
  const remove = useMutation({ mutationFn: removeToken, onSettled: refreshManaged });
  return (
    <>
      <Panel title={w.tokens.title} className="tokens" asked={query} skeletonRows={3} tools={<span className="note">{w.tokens.note}</span>}>
        {query.data?.tokens.length === 0 && <p className="quiet">{w.tokens.none}</p>}
        {query.data !== undefined && query.data.tokens.length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={w.tokens.title}>
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">{w.tokens.name}</th>
                  <th scope="col">{w.tokens.scope}</th>
                  <th scope="col">{w.tokens.by}</th>
                  <th scope="col">{w.tokens.created}</th>
                  <th scope="col">{w.tokens.used}</th>
                  <th scope="col"><span className="hidden">{w.tokens.remove}</span></th>
                </tr>
              </thead>
              <tbody>
                {query.data.tokens.map((token) => (
                  <tr key={token.name}>
                    <th scope="row"><Text text={token.name} /></th>
                    <td>{w.scope[token.scope]}</td>
                    <td><Text text={token.made_by} /></td>
                    <td><FullTime time={token.created} /></td>
                    <td>{token.used === null ? w.tokens.never : <Ago time={token.used} />}</td>
                    <td className="does"><Sure name={w.tokens.remove} really={w.tokens.really} does={() => remove.mutate(token.name)} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      <AddToken />
    </>
  );
}

function AddToken() {
  const [name, setName] = useState('');
  const [scope, setScope] = useState<Scope>('read');
  const { mutate, error, isPending, data } = useMutation({
    mutationFn: addToken,
    onSuccess: () => {
      setName('');
      void refreshManaged();
    },
  });
  return (
    <section className="panel narrow" aria-labelledby="add-token">
      <header><h2 id="add-token">{w.tokens.go}</h2></header>
      <div className="body">
        <Form error={error} pending={isPending} go={w.tokens.go} submit={() => mutate({ name: name.trim(), scope })}>
          <Field label={w.tokens.name} type="text" value={name} set={setName} complete="off" />
          <p className="form-field">
            <label htmlFor="new-scope">{w.tokens.scope}</label>
            <select id="new-scope" value={scope} onChange={(event) => setScope(event.target.value as Scope)}>
              {SCOPES.map((each) => <option key={each} value={each}>{w.scope[each]}</option>)}
            </select>
          </p>
        </Form>
        {data && (
          <p role="status" className="made-token">
            <span>{w.tokens.made(data.name)}</span>
            <code data-testid="token">{data.token}</code>
            <button type="button" className="button" onClick={() => void copy(data.token)}>{w.tokens.copy}</button>
          </p>
        )}
      </div>
    </section>
  );
}

export function Sessions() {
  const query = useSessions();
  const end = useMutation({ mutationFn: endSessions, onSettled: refreshManaged });
  return (
    <Panel title={w.sessions.title} className="sessions" asked={query} skeletonRows={3}>
      <div className="scroll" tabIndex={0} role="group" aria-label={w.sessions.title}>
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">{w.sessions.user}</th>
              <th scope="col">{w.sessions.address}</th>
              <th scope="col">{w.sessions.created}</th>
              <th scope="col">{w.sessions.seen}</th>
              <th scope="col"><span className="hidden">{w.sessions.end}</span></th>
            </tr>
          </thead>
          <tbody>
            {query.data?.sessions.map((session, at) => (
              <tr key={at}>
                <th scope="row"><Text text={session.user} />{session.own && <span className="tag">{w.sessions.own}</span>}</th>
                <td className="mono"><Text text={session.address} /></td>
                <td><FullTime time={session.created} /></td>
                <td><Ago time={session.seen} /></td>
                <td className="does"><button type="button" className="button" onClick={() => end.mutate(session.user)}>{w.sessions.end}</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
