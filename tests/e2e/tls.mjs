// SPDX-License-Identifier: Apache-2.0
// Certificates made by openssl for a test, and calls over https.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Authority {
  constructor(dir = mkdtempSync(join(tmpdir(), 'skep-tls-'))) {
    this.dir = dir;
    this.openssl('req', '-x509', ...KEY, '-days', '2', '-subj', '/CN=test authority', '-keyout', this.path('ca.key'), '-out', this.path('ca.pem'));
    this.ca = readFileSync(this.path('ca.pem'));
  }

  path(name) { return join(this.dir, name); }

  openssl(...args) { return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] }); }

  // NAME.pem, NAME.key and NAME.both, put in place by renaming.
  make(name, subject) {
    const next = (ext) => this.path(`${name}.next.${ext}`);
    this.openssl('req', ...KEY, '-subj', subject, '-keyout', next('key'), '-out', next('csr'));
    writeFileSync(next('ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n');
    this.openssl('x509', '-req', '-in', next('csr'), '-CA', this.path('ca.pem'), '-CAkey', this.path('ca.key'), '-CAcreateserial',
      '-days', '2', '-extfile', next('ext'), '-out', next('pem'));
    writeFileSync(next('both'), Buffer.concat([readFileSync(next('pem')), readFileSync(next('key'))]));
    for (const ext of ['pem', 'key', 'both']) renameSync(next(ext), this.path(`${name}.${ext}`));
    return { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`), both: this.path(`${name}.both`),
      pem: readFileSync(this.path(`${name}.pem`)), keyPem: readFileSync(this.path(`${name}.key`)) };
  }

  done() { rmSync(this.dir, { recursive: true, force: true }); }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// One https request on a connection of its own; gives status, headers, body and the subject that the server showed.
export function https(port, path, { method = 'GET', body, headers = {}, ...tls } = {}) {
  return new Promise((resolve, reject) => {
    const r = request({ host: 'localhost', port, path, method, headers, agent: false, ...tls }, (res) => {
      const chunks = [];
      const subject = res.socket.getPeerCertificate().subject?.CN;
      res.on('data', (d) => chunks.push(d));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(chunks).toString(), subject }));
      res.on('error', reject);
    });
    r.on('error', reject);
    r.end(body);
  });
}
