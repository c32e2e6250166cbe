/** Settings: one's account; for administrators users, tokens, sessions and the audit log. */
import { useEffect, useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Link } from 'wouter';
import { become, changePassword, signOut, useMe, type Me } from '../../api/accounts';
import { Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { t } from '../../strings';
import { w } from '../../words/settings';
import '../../styles/settings.css';
import { Audit } from './audit';
import { BanList } from './bans';
import { Channels } from './channels';
import { Intel } from './intel';
import { Lists, Storage } from './lists';
import { Sessions, Tokens, Users } from './manage';
import { Field, Form, SetupForm } from './signin';
import '../../styles/alerts.css';

const OPEN_TABS = ['account', 'channels', 'lists', 'bans', 'intel', 'storage'] as const;
const ADMIN_TABS = ['users', 'tokens', 'sessions', 'audit'] as const;
type Tab = (typeof OPEN_TABS)[number] | (typeof ADMIN_TABS)[number];

export function Settings({ tab }: { tab: string | undefined }) {
  const me = useMe();
  const admin = me.data?.accounts === true && me.data.role === 'admin';
  const tabs: readonly Tab[] = admin ? [...OPEN_TABS, ...ADMIN_TABS] : OPEN_TABS;
  const shown: Tab = tabs.find((each) => each === tab) ?? 'account';
  useEffect(() => {
    document.title = t.title(`${w.tabs[shown]} · ${w.title}`);
  }, [shown]);
  return (
    <div className="settings-screen">
      <header className="screen-head"><h1>{w.title}</h1></header>
      <nav className="tabs" aria-label={w.tabsLabel}>
        {tabs.map((each) => <Link key={each} href={`/settings/${each}`} className={each === shown ? 'here' : ''} aria-current={each === shown ? 'page' : undefined}>{w.tabs[each]}</Link>)}
      </nav>
      {!me.data && <Skeleton rows={6} />}
      {me.data && !me.data.accounts && shown === 'account' && <First />}
      {me.data && shown === 'channels' && <Channels />}
      {me.data && shown === 'lists' && <Lists />}
      {me.data && shown === 'bans' && <BanList />}
      {me.data && shown === 'intel' && <Intel />}
      {me.data && shown === 'storage' && <Storage />}
      {me.data?.accounts && shown === 'account' && <Account me={me.data} />}
      {admin && shown === 'users' && <Users />}
      {admin && shown === 'tokens' && <Tokens />}
      {admin && shown === 'sessions' && <Sessions />}
      {admin && shown === 'audit' && <Audit />}
    </div>
  );
}

function First() {
  return (
    <section className="panel narrow">
      <div className="body">
        <p>{w.setup.free}</p>
        <SetupForm />
      </div>
    </section>
  );
}

function Account({ me }: { me: Me }) {
  const out = useMutation({ mutationFn: signOut, onSuccess: become });
  return (
    <section className="panel narrow" aria-labelledby="account-title">
      <header>
        <h2 id="account-title">{w.account.title}</h2>
        <button type="button" className="button" onClick={() => out.mutate()}>{w.signIn.out}</button>
      </header>
      <div className="body">
        <p data-testid="me"><b><Text text={me.name ?? ''} /></b> <span className="note">{me.role && `${w.role[me.role]}: ${w.roleMeans[me.role]}`}</span></p>
        <Password />
      </div>
    </section>
  );
}

function Password() {
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const { mutate, error, isPending, isSuccess } = useMutation({
    mutationFn: changePassword,
    onSuccess: () => {
      setOld('');
      setNext('');
    },
  });
  return (
    <Form error={error} pending={isPending} go={w.account.go} submit={() => mutate({ old, new: next })}>
      <h3>{w.account.change}</h3>
      <Field label={w.account.old} type="password" value={old} set={setOld} complete="current-password" />
      <Field label={w.account.new} type="password" value={next} set={setNext} complete="new-password" hint={w.setup.hint} />
      <span role="status" className="note">{isSuccess ? w.account.changed : ''}</span>
    </Form>
  );
}
