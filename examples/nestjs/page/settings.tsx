import { useEffect, useState } from 'react';
import { describeChatError } from 'turnkeep/client';

import { type Person, type Role, type Settings, ask, quietly } from './api.js';

const FIELDS = [
  ['chatModel', 'Model'],
  ['baseUrl', 'Address of the API'],
  ['embeddingModel', 'Embedding model'],
  ['sttModel', 'Speech-to-text model'],
  ['systemPrompt', 'Persona of chats without a role'],
] as const;
const KEYS = [
  ['apiKey', 'hasApiKey', 'Key', 'chat'],
  ['embeddingApiKey', 'hasEmbeddingApiKey', 'Key for embeddings', 'embeddings'],
  ['sttApiKey', 'hasSttApiKey', 'Key for dictation', 'stt'],
] as const;

function Test({ capability }: { capability: string }) {
  const [result, setResult] = useState<string>();
  const test = async () => {
    setResult('…');
    try {
      const { ok, error } = await ask<{ ok: boolean; error?: string }>('settings/test', 'POST', { capability });
      setResult(ok ? '✓ works' : (error ?? 'does not work'));
    } catch (error) {
      setResult(describeChatError(error).message);
    }
  };
  return (
    <span className="test">
      <button type="button" onClick={test}>
        Test
      </button>
      {result && <em>{result}</em>}
    </span>
  );
}

function ProviderForm() {
  const [settings, setSettings] = useState<Settings>();
  const [changed, setChanged] = useState<Record<string, string | null>>({});
  const [said, setSaid] = useState<string>();
  useEffect(() => quietly(ask<Settings>('settings').then(setSettings)), []);
  if (!settings) return null;
  const save = async (patch: object) => {
    try {
      setSettings(await ask<Settings>('settings', 'PATCH', patch));
      setChanged({});
      setSaid('Saved');
    } catch (error) {
      setSaid(describeChatError(error).message);
    }
  };
  const change = (field: string, value: string) => setChanged({ ...changed, [field]: value });
  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        void save(changed);
      }}
    >
      <h2>Who answers</h2>
      {FIELDS.map(([field, label]) => (
        <label key={field}>
          {label}
          <input
            value={changed[field] ?? settings[field] ?? ''}
            onChange={({ target }) => change(field, target.value)}
          />
        </label>
      ))}
      {KEYS.map(([field, has, label, capability]) => (
        <label key={field}>
          {label}
          <span className="row">
            <input
              type="password"
              autoComplete="off"
              placeholder={settings[has] ? '•••••••• (kept; it is never shown)' : 'none'}
              value={changed[field] ?? ''}
              onChange={({ target }) => change(field, target.value)}
            />
            <Test capability={capability} />
          </span>
        </label>
      ))}
      <div className="row">
        <button className="primary" disabled={Object.keys(changed).length === 0}>
          Save
        </button>
        {said && <em>{said}</em>}
      </div>
      <h2>What is on</h2>
      {Object.entries(settings.features).map(([feature, on]) => (
        <label key={feature} className="check">
          <input type="checkbox" checked={on} onChange={() => void save({ features: { [feature]: !on } })} />
          {feature}
        </label>
      ))}
    </form>
  );
}

function Roles({ roles, onChange }: { roles: Role[]; onChange(): void }) {
  const [name, setName] = useState('');
  const [instructions, setInstructions] = useState('');
  const [problem, setProblem] = useState<string>();
  const doing = async (what: Promise<unknown>) => {
    try {
      await what;
      setProblem(undefined);
    } catch (error) {
      setProblem(describeChatError(error).message);
    }
    onChange();
  };
  return (
    <form
      className="card"
      onSubmit={async (event) => {
        event.preventDefault();
        await doing(ask('roles', 'POST', { name, instructions }));
        setName('');
        setInstructions('');
      }}
    >
      <h2>Roles</h2>
      {roles.map((role) => (
        <div key={role.id} className="row role">
          <span className="grow">
            {role.emoji} <strong>{role.name}</strong> <em>{role.description}</em>
          </span>
          <button
            type="button"
            onClick={() => doing(ask(`roles/${role.id}`, 'PATCH', { enabled: role.enabled === false }))}
          >
            {role.enabled === false ? 'Enable' : 'Disable'}
          </button>
          <button type="button" onClick={() => doing(ask(`roles/${role.id}`, 'DELETE'))}>
            Delete
          </button>
        </div>
      ))}
      <label>
        Name
        <input value={name} onChange={({ target }) => setName(target.value)} />
      </label>
      <label>
        Instructions
        <textarea rows={3} value={instructions} onChange={({ target }) => setInstructions(target.value)} />
      </label>
      {problem && <p className="problem">{problem}</p>}
      <button disabled={!name || !instructions}>Add the role</button>
    </form>
  );
}

export function SettingsView({ person, roles, onChange }: { person: Person; roles: Role[]; onChange(): void }) {
  return (
    <section className="page">
      <header className="bar">
        <h1>Settings</h1>
      </header>
      <div className="scroll">
        {person.isAdmin ? (
          <>
            <ProviderForm />
            <Roles roles={roles} onChange={onChange} />
          </>
        ) : (
          <p>Settings are for administrators. You are {person.name}.</p>
        )}
      </div>
    </section>
  );
}
