/** Entry point: providers and routes. */
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { Link, Redirect, Route, Switch } from 'wouter';
import { useMe, watchSession } from './api/accounts';
import { queryClient, startLiveQueries } from './api/queries';
import { startPrefs } from './lib/prefs';
import { stream } from './live/stream';
import { Guard, Skeleton } from './parts/panel';
import { Shell } from './shell/shell';
import { t } from './strings';
import './styles/index.css';

const loadOverview = () => import('./screens/overview/overview');
const loadAlerts = () => import('./screens/alerts/alerts');
const loadSearch = () => import('./screens/search/search');
const loadSources = () => import('./screens/sources/sources');
const loadRules = () => import('./screens/rules/rules');
const loadSettings = () => import('./screens/settings/settings');
const Settings = lazy(async () => ({ default: (await loadSettings()).Settings }));
const Door = lazy(async () => ({ default: (await import('./screens/settings/signin')).Door }));
const loadEntities = () => import('./screens/entities/entities');
const Entities = lazy(async () => ({ default: (await loadEntities()).Entities }));
const Overview = lazy(async () => ({ default: (await loadOverview()).Overview }));
const Alerts = lazy(async () => ({ default: (await loadAlerts()).Alerts }));
const Search = lazy(async () => ({ default: (await loadSearch()).Search }));
const Sources = lazy(async () => ({ default: (await loadSources()).Sources }));
const Rules = lazy(async () => ({ default: (await loadRules()).Rules }));

/** Fetches the screens that are not shown yet, once the one that is shown has settled. */
const PRELOAD_AFTER_MS = 8000;

function NotFound() {
  return (
    <div className="blank">
      <h1>{t.error.notFound}</h1>
      <Link href="/overview" className="button">{t.error.home}</Link>
    </div>
  );
}

/** The page, or the door in front of it. */
function Entrance() {
  const me = useMe().data;
  if (me?.accounts && me.name === null) {
    return <Suspense fallback={null}><Door setup={me.setup} provider={me.provider ?? null} /></Suspense>;
  }
  return <Screens />;
}

function App() {
  return <QueryClientProvider client={queryClient}><Entrance /></QueryClientProvider>;
}

function Screens() {
  return (
    <Shell>
      <Guard>
        <Suspense fallback={<Skeleton rows={12} />}>
          <Switch>
            <Route path="/"><Redirect to="/overview" replace /></Route>
            <Route path="/overview"><Overview /></Route>
            <Route path="/alerts/:id?">{({ id }) => <Alerts id={id} />}</Route>
            <Route path="/search"><Search /></Route>
            <Route path="/rules/:id?">{({ id }) => <Rules id={id} />}</Route>
            <Route path="/entities/:kind?/:value?">{({ kind, value }) => <Entities kind={kind} value={value} />}</Route>
            <Route path="/sources"><Sources /></Route>
            <Route path="/settings/:tab?">{({ tab }) => <Settings tab={tab} />}</Route>
            <Route><NotFound /></Route>
          </Switch>
        </Suspense>
      </Guard>
    </Shell>
  );
}

const root = document.getElementById('root');
if (root) {
  startPrefs();
  startLiveQueries();
  watchSession();
  stream.start();
  setTimeout(() => void Promise.allSettled([loadOverview(), loadAlerts(), loadSearch(), loadSources(), loadRules(), loadSettings(), loadEntities()]), PRELOAD_AFTER_MS);
  createRoot(root).render(<StrictMode><App /></StrictMode>);
}
