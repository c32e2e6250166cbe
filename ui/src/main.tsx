/** Entry point: providers and routes. */
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Link, Redirect, Route, Switch } from 'wouter';
import { queryClient, startLiveQueries } from './api/queries';
import { startPrefs } from './lib/prefs';
import { stream } from './live/stream';
import { Guard } from './parts/panel';
import { Alerts } from './screens/alerts/alerts';
import { Overview } from './screens/overview/overview';
import { Shell } from './shell/shell';
import { t } from './strings';
import './styles/index.css';

function NotFound() {
  return (
    <div className="blank">
      <h1>{t.error.notFound}</h1>
      <Link href="/overview" className="button">{t.error.home}</Link>
    </div>
  );
}

function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Shell>
        <Guard>
          <Switch>
            <Route path="/"><Redirect to="/overview" replace /></Route>
            <Route path="/overview"><Overview /></Route>
            <Route path="/alerts/:id?">{({ id }) => <Alerts id={id} />}</Route>
            <Route><NotFound /></Route>
          </Switch>
        </Guard>
      </Shell>
    </QueryClientProvider>
  );
}

const root = document.getElementById('root');
if (root) {
  startPrefs();
  startLiveQueries();
  stream.start();
  createRoot(root).render(<StrictMode><App /></StrictMode>);
}
