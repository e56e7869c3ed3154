// The page at `/`: GraphiQL under a bar that fills the request headers the hub decides by.
// Nothing typed here outlives the page: no token, query or recipient id is stored in the browser.
import { GraphiQL } from 'graphiql';
import { useGraphiQL } from '@graphiql/react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { passedOn, signIn } from './sign_in.js';

// Relative, so that the page also works below a path prefix of a reverse proxy.
const GRAPHQL = 'graphql';
const DEMO = 'console/demo.json';
const SIGN_IN = 'console/sign-in.json';

const PURPOSES = 'query Purposes { purposes { code title } }';
const FIRST_QUERY = `# Ctrl-Enter runs the operation.
# Ctrl-Space offers what can be asked.

query Purposes {
  purposes {
    code
    title
  }
}
`;
const TOKEN_SETTLES = 400; // milliseconds without a keystroke before a token is tried

self.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(WORKERS[label] ?? WORKERS.editor, { type: 'module' }),
};

// GraphiQL keeps queries and variables (recipient ids among them) in localStorage unless it is
// given a store of its own. This one lives as long as the page.
function pageStorage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
    clear: () => kept.clear(),
    get length() {
      return kept.size;
    },
  };
}

async function post(operation, headers, signal) {
  const response = await fetch(GRAPHQL, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json, application/json;q=0.9',
      ...headers,
    },
    body: JSON.stringify(operation),
    cache: 'no-store',
    credentials: 'omit',
    signal,
  });
  const text = await response.text();
  try {
    return { status: response.status, answer: JSON.parse(text) };
  } catch {
    const message = `The hub answered ${response.status} ${response.statusText} without JSON.`;
    return { status: response.status, answer: { errors: [{ message }] } };
  }
}

const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

const purposeHeader = (purpose) => (purpose ? { 'Hub-Purpose': purpose } : {});

function hubHeaders({ purpose, caseReference, onDenied }) {
  return {
    ...purposeHeader(purpose),
    ...(caseReference && { 'Hub-Case': caseReference }),
    'Hub-On-Denied': onDenied,
  };
}

function refusalOf(status, answer) {
  if (status !== 401) return null;
  const message = answer?.errors?.[0]?.message ?? 'no reason given';
  return `The hub does not accept this token (401): ${message}`;
}

function usePurposes(token) {
  const [purposes, setPurposes] = useState([]);
  useEffect(() => {
    setPurposes([]);
    if (!token) return undefined;
    const leaving = new AbortController();
    post({ query: PURPOSES, operationName: 'Purposes' }, bearer(token), leaving.signal)
      .then(({ answer }) => setPurposes(answer.data?.purposes ?? []))
      // Without the list a purpose can still be typed; introspection reports a hub out of reach.
      .catch(() => {});
    return () => leaving.abort();
  }, [token]);
  return purposes;
}

function Field({ id, label, className = '', children }) {
  return (
    <div className={`field ${className}`}>
      <label htmlFor={id}>{label}</label>
      {children}
    </div>
  );
}

function TokenField({ onToken }) {
  const [typed, setTyped] = useState('');
  useEffect(() => {
    const settled = setTimeout(() => onToken(typed.trim()), TOKEN_SETTLES);
    return () => clearTimeout(settled);
  }, [typed, onToken]);
  return (
    <Field id="token" label="Token">
      <input
        id="token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        placeholder="Bearer token"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </Field>
  );
}

function SignIn({ settings, signedIn, onToken }) {
  const [trouble, setTrouble] = useState('');
  const latest = useRef(new AbortController());
  async function begin() {
    // Whoever begins anew gave the window before up: nothing tells when it is closed.
    latest.current.abort();
    latest.current = new AbortController();
    const { signal } = latest.current;
    setTrouble('');
    try {
      onToken(await signIn(settings, signal));
    } catch (error) {
      if (!signal.aborted) setTrouble(`Signing in failed: ${error.message}.`);
    }
  }
  return (
    <div className="sign-in">
      <button type="button" onClick={begin}>
        {signedIn ? 'Sign in again' : 'Sign in'}
      </button>
      {trouble && <span role="alert">{trouble}</span>}
    </div>
  );
}

function PersonField({ personas, person, onPerson }) {
  return (
    <Field id="person" label="Person">
      <select id="person" value={person.name} onChange={(event) => onPerson(event.target.value)}>
        {personas.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </Field>
  );
}

function Bar({ who, request, onRequest, purposes }) {
  const field = (name) => ({
    value: request[name],
    onChange: (event) => onRequest({ ...request, [name]: event.target.value }),
  });
  const title = purposes.find(({ code }) => code === request.purpose)?.title;
  return (
    <form className="bar" aria-label="Request headers" onSubmit={(event) => event.preventDefault()}>
      <h1>Welfare hub</h1>
      {who}
      <Field id="purpose" label="Purpose">
        <input
          id="purpose"
          list="purposes"
          autoComplete="off"
          spellCheck={false}
          placeholder="why you ask"
          title={title}
          // The list offers only what matches the text, so typing must replace a filled purpose.
          onFocus={(event) => event.target.select()}
          {...field('purpose')}
        />
        <datalist id="purposes">
          {purposes.map((purpose) => (
            <option key={purpose.code} value={purpose.code} label={purpose.title} />
          ))}
        </datalist>
      </Field>
      <Field id="case" label="Case">
        <input
          id="case"
          autoComplete="off"
          spellCheck={false}
          placeholder="one reference, or several with commas"
          {...field('caseReference')}
        />
      </Field>
      <Field id="on-denied" label="On denied" className="short">
        <select id="on-denied" {...field('onDenied')}>
          <option value="refuse">refuse</option>
          <option value="withhold">withhold</option>
        </select>
      </Field>
    </form>
  );
}

// An answer belongs to the person who asked: another person's screen starts empty.
function ClearAnswer({ token }) {
  const responseEditor = useGraphiQL((state) => state.responseEditor);
  const shownFor = useRef(token);
  useEffect(() => {
    if (shownFor.current !== token) responseEditor?.setValue('');
    shownFor.current = token;
  }, [token, responseEditor]);
  return null;
}

function Console({ demo, settings }) {
  const [person, setPerson] = useState(demo?.personas[0]);
  const [typedToken, setTypedToken] = useState('');
  const [signedIn, setSignedIn] = useState('');
  const [request, setRequest] = useState({
    purpose: person?.purpose ?? '',
    caseReference: person?.case ?? '',
    onDenied: 'refuse',
  });
  const [refused, setRefused] = useState({});
  const token = person?.token ?? (signedIn || typedToken);
  const purposes = usePurposes(token);
  const storage = useMemo(pageStorage, []);

  const latest = useRef(request);
  latest.current = request;

  // What is typed counts once it is whole: no introspection at every keystroke.
  const declared = purposes.some(({ code }) => code === request.purpose) ? request.purpose : '';

  // A new fetcher makes GraphiQL introspect again, so there is one for each token and purpose: the
  // hub shows of its schema what the purpose may see.
  const fetcher = useMemo(
    () => async (operation) => {
      const introspecting = operation.operationName === 'IntrospectionQuery';
      const headers = introspecting ? purposeHeader(declared) : hubHeaders(latest.current);
      const { status, answer } = await post(operation, { ...bearer(token), ...headers });
      setRefused({ token, refusal: refusalOf(status, answer) });
      return answer;
    },
    [token, declared],
  );

  function choose(name) {
    const chosen = demo.personas.find((persona) => persona.name === name);
    setPerson(chosen);
    setRequest({
      ...request,
      purpose: chosen.purpose ?? '',
      caseReference: chosen.case ?? '',
    });
  }

  const refusal = refused.token === token && refused.refusal;
  const advice = demo ? '; reload the page for a fresh one' : '';
  const first = settings ? 'Sign in, or enter a token' : 'Enter a token';
  const missing = token ? null : `${first}: the hub answers no one it cannot name.`;
  const notice = refusal ? refusal + advice : missing;
  const who = demo ? (
    <PersonField personas={demo.personas} person={person} onPerson={choose} />
  ) : (
    <>
      {settings && <SignIn settings={settings} signedIn={signedIn} onToken={setSignedIn} />}
      {!signedIn && <TokenField onToken={setTypedToken} />}
    </>
  );
  return (
    <>
      <Bar who={who} request={request} onRequest={setRequest} purposes={purposes} />
      {notice && (
        <p className={refusal ? 'notice refusal' : 'notice'} role={refusal ? 'alert' : 'status'}>
          {notice}
        </p>
      )}
      <main>
        <GraphiQL
          fetcher={fetcher}
          schema={token ? undefined : null}
          storage={storage}
          shouldPersistHeaders={false}
          isHeadersEditorEnabled={false}
          initialQuery={demo?.query ?? FIRST_QUERY}
          initialVariables={demo?.variables ? JSON.stringify(demo.variables, null, 2) : ''}
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
          <ClearAnswer token={token} />
        </GraphiQL>
      </main>
    </>
  );
}

async function load(address) {
  const response = await fetch(address, { cache: 'no-store', credentials: 'omit' });
  return response.ok ? response.json() : null;
}

if (!passedOn()) {
  const demo = await load(DEMO);
  const settings = demo ? null : await load(SIGN_IN);
  const page = <Console demo={demo} settings={settings} />;
  createRoot(document.getElementById('console')).render(page);
}
