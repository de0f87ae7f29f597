// SPDX-License-Identifier: Apache-2.0
// Entry: styles in order, then the page.

import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style/tokens.css';
import './style/base.css';
import './style/parts.css';
import './style/views.css';
import './style/trace.css';
import './style/map.css';
import './style/xray.css';
import './style/logs.css';
import './style/errors.css';
import './style/alerts.css';
import './style/boards.css';
import './lib/theme';
import { api } from './lib/api';
import { claim } from './lib/color';
import { App } from './app';

// Services claim their colours before the first of them is drawn, on every page in the same order;
// a server that is slow to list them does not hold up the page.
const PATIENCE_MS = 800;
await Promise.race([
  api.datasets().then((sets) => claim(sets.map((d) => d.name)), () => {}),
  new Promise((done) => setTimeout(done, PATIENCE_MS)),
]);

render(<App />, document.getElementById('app')!);
