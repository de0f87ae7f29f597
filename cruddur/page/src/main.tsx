// SPDX-License-Identifier: Apache-2.0
// Begins: where the API is, tracing, the first view.

import { render } from 'preact';
import { setBackend } from './api';
import { App, load } from './app';
import { readConfig } from './config';
import './style.css';
import { startTracing } from './tracing';

async function main(): Promise<void> {
  const config = await readConfig();
  setBackend(config.api, config.bootcamp);
  startTracing(config);
  const first = await load(location.pathname + location.search);
  render(<App first={first} />, document.getElementById('app')!);
}

main().catch((e) => { document.getElementById('app')!.textContent = `Cruddur cannot begin: ${e}`; });
