// SPDX-License-Identifier: Apache-2.0
// Identity providers for tests: a real one (oidc-provider), and one made by hand that does what no
// honest one does.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, constants } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePort, root } from './support.mjs';

export const providerPackage = join(root, 'tests/clients/node/node_modules/oidc-provider');
export const haveProvider = existsSync(providerPackage);
const b64 = (o) => Buffer.from(typeof o === 'string' ? o : JSON.stringify(o)).toString('base64url');

const listen = (server, port) => new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
const close = (server) => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); });

// The real one. accounts: {login: claims}; clients as oidc-provider takes them. Whoever logs in gives a
// login and any password in its development forms.
export async function realProvider({ accounts, clients, port }) {
  const { default: Provider } = await import(pathToFileURL(join(createRequire(join(providerPackage, 'x.js')).resolve('oidc-provider'))));
  const at = port ?? await freePort();
  const issuer = `http://localhost:${at}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'rsa-1', use: 'sig', alg: 'RS256' }, { ...ec.export({ format: 'jwk' }), kid: 'ec-1', use: 'sig', alg: 'ES256' }] },
    claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    pkce: { required: () => true },
    cookies: { keys: ['a test'] },
    findAccount: (_, sub) => accounts[sub] && { accountId: sub, claims: () => ({ sub, ...accounts[sub] }) },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  });
  const server = createServer(provider.callback());
  await listen(server, at);
  return { issuer, provider, close: () => close(server) };
}

// Keys of every kind, as {kid, alg, key, jwk}.
export function makeKey(kid, alg) {
  const pair = alg[1] === 'S' && alg[0] !== 'E' ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : alg === 'EdDSA' ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: alg === 'ES384' ? 'P-384' : 'P-256' });
  return { kid, alg, key: pair.privateKey, jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
}

export function signToken(k, claims, header = {}) {
  const part = `${b64({ alg: k.alg, kid: k.kid, typ: 'JWT', ...header })}.${b64(claims)}`;
  const bits = k.alg.slice(2);
  const options = k.alg.startsWith('PS') ? { key: k.key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : k.alg.startsWith('ES') ? { key: k.key, dsaEncoding: 'ieee-p1363' } : k.key;
  return `${part}.${sign(k.alg === 'EdDSA' ? null : `sha${bits}`, Buffer.from(part), options).toString('base64url')}`;
}

// By hand: everybody is logged in at once as `who`. What it does wrong is set on the object:
//   claims(c)    the ID token's claims, changed
//   token(t, k)  the token itself, or what stands for it
//   discovery(d), jwks, answer: { path: (req, res) => void }
export class Handmade {
  static async start() {
    const p = new Handmade();
    p.port = await freePort();
    p.issuer = `http://127.0.0.1:${p.port}`;
    p.key = makeKey('k1', 'RS256');
    p.calls = [];
    p.codes = new Map();
    p.reset();
    p.server = createServer((req, res) => p.handle(req, res).catch((e) => { res.statusCode = 500; res.end(String(e)); }));
    await listen(p.server, p.port);
    return p;
  }

  reset() {
    this.who = { sub: 'ann-1', email: 'ann@hive.example', email_verified: true };
    this.claims = (c) => c;
    this.token = (t) => t;
    this.discovery = (d) => d;
    this.jwks = null;
    this.answer = {};
    this.info = null;
  }

  close() { return close(this.server); }

  count(path) { return this.calls.filter((c) => c === path).length; }

  async handle(req, res) {
    const url = new URL(req.url, this.issuer);
    const json = (o, status = 200) => { res.writeHead(status, { 'content-type': 'application/json' }); res.end(JSON.stringify(o)); };
    this.calls.push(url.pathname);
    if (this.answer[url.pathname]) return this.answer[url.pathname](req, res);
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json(this.discovery({
          issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`, jwks_uri: `${this.issuer}/keys`,
          userinfo_endpoint: `${this.issuer}/userinfo`, response_types_supported: ['code'],
        }));
      case '/keys': return json(this.jwks ?? { keys: [this.key.jwk] });
      case '/userinfo': return this.info ? json(this.info) : json({ error: 'none' }, 404);
      case '/authorize': {
        const q = url.searchParams;
        const code = b64(String(this.codes.size)) + Math.random();
        this.codes.set(code, Object.fromEntries(q));
        res.writeHead(302, { location: `${q.get('redirect_uri')}?${new URLSearchParams({ code, state: q.get('state') })}` });
        return res.end();
      }
      case '/token': {
        let body = '';
        for await (const d of req) body += d;
        const form = new URLSearchParams(body);
        const asked = this.codes.get(form.get('code'));
        this.codes.delete(form.get('code'));
        this.lastToken = { form, authorization: req.headers.authorization };
        const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
        if (!asked || asked.redirect_uri !== form.get('redirect_uri') || asked.code_challenge !== challenge) return json({ error: 'invalid_grant' }, 400);
        const now = Math.floor(Date.now() / 1000);
        const claims = this.claims({ iss: this.issuer, aud: asked.client_id, iat: now, exp: now + 300, nonce: asked.nonce, ...this.who });
        return json({ access_token: 'an-access-token', token_type: 'Bearer', expires_in: 300, id_token: this.token(signToken(this.key, claims), this.key, claims) });
      }
      default: return json({ error: 'not here' }, 404);
    }
  }
}

// A public key's PEM used as a shared secret: what a verifier that trusts `alg` falls for.
export const publicPem = (k) => createPublicKey(createPrivateKey(k.key.export({ type: 'pkcs8', format: 'pem' }))).export({ type: 'spki', format: 'pem' });

// GET without fetch, which says its own Sec-Fetch-Mode.
const get = (url, headers) => new Promise((resolve, reject) => {
  const r = request(url, { headers }, (res) => {
    let text = '';
    res.setEncoding('utf8').on('data', (d) => { text += d; }).on('error', reject).on('end', () => resolve({
      status: res.statusCode, headers: { get: (n) => res.headers[n]?.toString() ?? null, getSetCookie: () => res.headers['set-cookie'] ?? [] },
      text: async () => text, json: async () => JSON.parse(text),
    }));
  });
  r.on('error', reject).end();
});

// A browser as far as logins go: cookies, redirects by hand.
export class Browser {
  constructor(skep) {
    this.skep = skep;
    this.jar = new Map();
  }

  async get(url, headers = {}) {
    const cookie = [...this.jar].map(([k, v]) => `${k}=${v}`).join('; ');
    const r = await get(url, { ...headers, ...(cookie ? { cookie } : {}) });
    for (const line of r.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value && !/Max-Age=0/.test(line)) this.jar.set(name, value);
      else this.jar.delete(name);
    }
    return r;
  }

  begin(to = '/ui/traces') { return this.get(`${this.skep.url}/skep/v1/oidc/begin?to=${encodeURIComponent(to)}`); }

  // As a browser sends who comes back from the provider.
  back(url) { return this.get(url, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }); }

  // {to, error, me}
  async login(to) {
    const begun = await this.begin(to);
    const there = begun.headers.get('location');
    if (there.startsWith('/')) return this.state(there);
    const provider = await fetch(there, { redirect: 'manual' });
    return this.state((await this.back(provider.headers.get('location'))).headers.get('location'));
  }

  async state(to) {
    const ways = await (await this.get(`${this.skep.url}/skep/v1/login`)).json();
    const me = await this.get(`${this.skep.url}/skep/v1/me`);
    return { to, error: ways.oidc.error, me: me.status === 200 ? await me.json() : null };
  }
}
