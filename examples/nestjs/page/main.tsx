import { StrictMode, useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';

import { type ChatLine, type Person, type Role, ask, quietly } from './api.js';
import { ChatView } from './chat.js';
import { Bars } from './icons.js';
import { RunsView } from './runs.js';
import { SettingsView } from './settings.js';
import { Sidebar } from './sidebar.js';
import { UsageView } from './usage.js';
import './style.css';

const place = () => location.hash.slice(1) || '/';
const subscribe = (changed: () => void) => {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
};

function SignIn({ people, onSignedIn }: { people: Person[]; onSignedIn(person: Person): void }) {
  const signIn = async (id: string) =>
    onSignedIn((await ask<{ person: Person }>('/api/session', 'POST', { id })).person);
  return (
    <main className="sign-in">
      <h1>Who are you?</h1>
      <p>Two people of one workspace. Mira may change settings; neither sees the other’s chats.</p>
      <div className="row">
        {people.map(({ id, name, isAdmin }) => (
          <button key={id} className="primary" onClick={() => signIn(id)}>
            {name}
            {isAdmin && ' (administrator)'}
          </button>
        ))}
      </div>
    </main>
  );
}

function App({ person, onSignedOut }: { person: Person; onSignedOut(): void }) {
  const [, view = '', id] = useSyncExternalStore(subscribe, place).split('/');
  const [chats, setChats] = useState<ChatLine[]>([]);
  const [roles, setRoles] = useState<Role[]>([]);
  const [menu, setMenu] = useState(false);
  const load = useCallback(async () => {
    setChats((await ask<{ items: ChatLine[] }>('chats?limit=100')).items);
    setRoles(await ask<Role[]>('roles'));
  }, []);
  const refresh = useCallback(() => quietly(load()), [load]);
  useEffect(refresh, [refresh]);
  useEffect(() => setMenu(false), [view, id]);
  useEffect(() => {
    if (view === '') location.replace(`#/chat/${crypto.randomUUID()}`);
  }, [view]);
  const signOut = () => ask('/api/session', 'DELETE').then(onSignedOut);
  return (
    <div className={`app${menu ? ' with-menu' : ''}`}>
      <Sidebar {...{ person, chats, view, id, onChange: refresh, onSignOut: signOut }} />
      <div className="shade" onClick={() => setMenu(false)} />
      <div className="pane">
        <button className="menu" aria-label="Menu" onClick={() => setMenu(true)}>
          <Bars />
        </button>
        {view === 'chat' && id && (
          <ChatView key={id} id={id} line={chats.find((chat) => chat.id === id)} roles={roles} onChange={refresh} />
        )}
        {view === 'runs' && <RunsView chats={chats} chosen={id} />}
        {view === 'settings' && <SettingsView person={person} roles={roles} onChange={refresh} />}
        {view === 'usage' && <UsageView />}
      </div>
    </div>
  );
}

function Root() {
  const [session, setSession] = useState<{ person: Person | null; people: Person[] }>();
  useEffect(() => quietly(ask<{ person: Person | null; people: Person[] }>('/api/session').then(setSession)), []);
  if (!session) return null;
  const signed = (person: Person | null) => setSession({ ...session, person });
  if (!session.person) return <SignIn people={session.people} onSignedIn={signed} />;
  return <App person={session.person} onSignedOut={() => signed(null)} />;
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Root />
  </StrictMode>,
);
