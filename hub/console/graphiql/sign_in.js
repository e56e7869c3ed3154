// Signs a person in at the issuer: authorization code with PKCE (RFC 7636), in a window of its own,
// so that verifier, state and token live in this page's memory and nowhere else.
const CHANNEL = 'console-signed-in';

// Where the issuer sends people back to: the page itself, whose second window only passes it on.
const here = () => location.origin + location.pathname;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// Whether this window is the one that came back from the issuer; if so, its work is done here.
export function passedOn() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has('state')) return false;
  history.replaceState(null, '', here());
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(Object.fromEntries(answer));
  channel.close();
  document.getElementById('console').textContent = 'This window can be closed.';
  window.close();
  return true;
}

// The access token of whoever signs in. Called at a click, or the window would be blocked.
export async function signIn({ issuer, clientId, scope, resource }, signal) {
  const opened = window.open('', '_blank', 'popup,width=520,height=720');
  if (!opened) throw new Error('the browser blocked the window to sign in');
  const metadata = await read(
    await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      credentials: 'omit',
      signal,
    }),
  );
  if (metadata.issuer !== issuer) throw new Error('its metadata are those of another issuer');

  const [state, verifier] = [random(), random()];
  const challenge = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const asked = new URL(metadata.authorization_endpoint);
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: here(),
    scope,
    state,
    code_challenge: base64url(new Uint8Array(challenge)),
    code_challenge_method: 'S256',
    ...(resource && { resource }),
  };
  for (const [name, value] of Object.entries(parameters)) asked.searchParams.set(name, value);
  const coming = answerTo(state, signal);
  opened.location.replace(asked);
  const answer = await coming;
  const { authorization_response_iss_parameter_supported: named } = metadata;
  // Mix-up defence, RFC 9207.
  if ((named || 'iss' in answer) && answer.iss !== issuer) {
    throw new Error('the answer is that of another issuer');
  }
  if (!answer.code) throw new Error(`it answered \`${answer.error}\``);

  const token = await read(
    await fetch(metadata.token_endpoint, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: clientId,
        code: answer.code,
        redirect_uri: here(),
        code_verifier: verifier,
        ...(resource && { resource }),
      }),
      credentials: 'omit',
      cache: 'no-store',
      signal,
    }),
  );
  if (token.token_type?.toLowerCase() !== 'bearer') throw new Error('it gave no bearer token');
  return token.access_token;
}

function answerTo(state, signal) {
  return new Promise((resolve, reject) => {
    const channel = new BroadcastChannel(CHANNEL);
    // What answers another window's sign-in is left to that one.
    channel.onmessage = ({ data }) => {
      if (data.state !== state) return;
      channel.close();
      resolve(data);
    };
    signal.addEventListener('abort', () => {
      channel.close();
      reject(signal.reason);
    });
  });
}

async function read(response) {
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return response.json();
}
