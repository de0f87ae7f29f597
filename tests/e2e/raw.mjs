// SPDX-License-Identifier: Apache-2.0
// Bare sockets, plain or TLS, and HTTP/2 frames written by hand: what goes over the wire is what the test wrote.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

// target: { port, tls?, localAddress? }; tls = { ca } or nothing
export function open(target, alpn) {
  return new Promise((resolve, reject) => {
    const common = { host: '127.0.0.1', port: target.port, localAddress: target.localAddress };
    const ready = () => resolve(s);
    const s = target.tls ? connectTls({ ...common, ...target.tls, servername: 'localhost', ALPNProtocols: alpn ? [alpn] : undefined }, ready) : connect(common, ready);
    s.on('error', reject); // behind the connection: the server cut it, which is an end as good as any
  });
}

// All that comes back until the peer closed; fails when it is left open for `ms`.
export async function talk(target, bytes, ms = 90000) {
  const s = await open(target);
  return new Promise((resolve, reject) => {
    const got = [];
    const timer = setTimeout(() => { s.destroy(); reject(new Error(`left open after ${JSON.stringify(String(bytes).slice(0, 200))}; got ${Buffer.concat(got).toString('latin1').slice(0, 200)}`)); }, ms);
    s.on('data', (d) => got.push(d));
    s.on('close', () => { clearTimeout(timer); resolve(Buffer.concat(got).toString('latin1')); });
    s.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  });
}

export const T = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST: 3, SETTINGS: 4, PUSH: 5, PING: 6, GOAWAY: 7, WINDOW: 8, CONTINUATION: 9 };
export const E = { NO_ERROR: 0, PROTOCOL: 1, FLOW: 3, CLOSED: 5, FRAME_SIZE: 6, REFUSED: 7, CANCEL: 8, COMPRESSION: 9, CALM: 11 };

export function frame(type, flags, stream, payload = Buffer.alloc(0), length = payload.length) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
// A header as a literal without indexing (or with: 0x40), lengths up to 126 + 127.
const text = (s) => { const b = Buffer.from(s, 'latin1'); return Buffer.concat([integer(b.length, 7), b]); };
export function integer(n, bits, first = 0) {
  const max = (1 << bits) - 1;
  if (n < max) return Buffer.from([first | n]);
  const out = [first | max];
  for (n -= max; n >= 128; n >>= 7) out.push((n & 127) | 128);
  return Buffer.from([...out, n]);
}
export const header = (name, value, form = 0) => Buffer.concat([Buffer.from([form]), text(name), text(value)]);
export const request = (path = '/skep/v1/status', method = 'GET', ...more) => Buffer.concat([
  header(':method', method), header(':scheme', 'http'), header(':path', path), header(':authority', '127.0.0.1'), ...more]);

export class H2 {
  static async open(target) {
    const h = new H2();
    h.socket = await open(target, 'h2');
    h.frames = [];
    h.ended = false;
    let rest = Buffer.alloc(0);
    h.socket.on('data', (d) => {
      rest = Buffer.concat([rest, d]);
      while (rest.length >= 9) {
        const n = rest.readUIntBE(0, 3);
        if (rest.length < 9 + n) break;
        h.frames.push({ type: rest[3], flags: rest[4], stream: rest.readUInt32BE(5) & 0x7fffffff, payload: rest.subarray(9, 9 + n) });
        rest = rest.subarray(9 + n);
      }
      h.wake?.();
    });
    h.socket.on('close', () => { h.ended = true; h.wake?.(); });
    h.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(T.SETTINGS, 0, 0));
    return h;
  }

  send(...parts) { if (!this.ended) this.socket.write(Buffer.concat(parts)); }

  // The first frame for which test holds; null when the connection ended without.
  async find(what, test, ms = 90000) {
    const end = Date.now() + ms;
    for (let i = 0; ;) {
      for (; i < this.frames.length; i++) if (test(this.frames[i])) return this.frames[i];
      if (this.ended) return null;
      if (Date.now() > end) throw new Error(`no ${what} in ${ms} ms; got ${this.frames.map((f) => f.type).slice(-20)}`);
      await new Promise((r) => { this.wake = r; setTimeout(r, 200); });
    }
  }

  async goaway() {
    const f = await this.find('GOAWAY', (x) => x.type === T.GOAWAY);
    return f ? f.payload.readUInt32BE(4) : null;
  }

  async reset(stream) {
    const f = await this.find(`RST_STREAM of ${stream}`, (x) => x.type === T.RST && x.stream === stream);
    return f ? f.payload.readUInt32BE(0) : null;
  }

  // The first byte of the answer's header block is its :status in the static table (8 = 200, 12 = 400 ...), or a literal.
  async answered(stream) {
    return (await this.find(`an answer on ${stream}`, (x) => x.type === T.HEADERS && x.stream === stream)) !== null;
  }

  async closed(ms = 20000) { await this.find('the end', () => false, ms).catch(() => {}); return this.ended; }

  close() { this.socket.destroy(); }
}
