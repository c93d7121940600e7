// An OpenID provider nobody here wrote (oidc-provider, certified by the OpenID Foundation), for the
// tests of signing in by one. Prints its port; adds and drops signing keys by its standard input.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import Provider from 'oidc-provider'

const { clients, people } = JSON.parse(process.argv[2])

function key(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }
}

const server = createServer((request, answer) => handle(request, answer))
await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
const issuer = `http://127.0.0.1:${server.address().port}`
let handle

// Grants and sessions live in the provider's own memory, which a new set of keys begins anew.
function start(keys) {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    claims: {
      openid: ['sub', 'groups', 'acr', 'amr'],
      email: ['email', 'email_verified'],
      profile: ['name'],
    },
    // As most providers do: what is in the scope stands in the ID token too.
    conformIdTokenClaims: false,
    cookies: { keys: ['only for tests'] },
    // Its own guard would keep it from us, who are on this machine.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...people[id] }),
    }),
  })
  provider.on('server_error', (_context, error) => console.error(error))
  provider.on('backchannel.error', (_context, error) => console.error(error))
  handle = provider.callback()
}

start([key('first')])
console.log(issuer)
for await (const line of createInterface({ input: process.stdin })) {
  start([key(line)])
  console.log('done')
}
