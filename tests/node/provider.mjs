// An identity provider on loopback: npm `oidc-provider`, issuing JWT access tokens (RFC 9068).
// usage: node provider.mjs PORT JWKS-FILE     PORT 0 takes a free one; the keys are private ones
// Prints its issuer when it serves, and ends when its standard input does. Whoever gives a login at
// its own form is that person, a caseworker; a token for the resource `urn:hub:ALG` is signed by ALG.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [port, keys] = process.argv.slice(2);
const ROLES = { roles: ['caseworker'] };
const PERSON = { ...ROLES, recipient: '900101-1000001', office: 'office-1', district: '11110' };
const RESOURCE = /^urn:hub:(ES256|RS256)$/;

const configuration = {
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  clientBasedCORS: () => true,
  cookies: { keys: ['of-a-test-only'] },
  clients: [
    {
      client_id: 'caseworker-app',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/signed-in'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_id: 'hub-console',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_id: 'batch-service',
      client_secret: 'of-a-test-only',
      redirect_uris: [],
      grant_types: ['client_credentials'],
      response_types: [],
    },
  ],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (_, token) => (token.kind === 'ClientCredentials' ? ROLES : PERSON),
  ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 600, Interaction: 600, Session: 600 },
  features: {
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:hub:ES256',
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'ask',
        audience: 'welfare-hub',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: RESOURCE.exec(resource)[1] } },
      }),
    },
  },
};

const server = createServer();
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration).callback());
  console.log(JSON.stringify({ issuer }));
});
process.stdin.on('end', () => process.exit(0)).resume();
