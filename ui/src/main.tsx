// SPDX-License-Identifier: Apache-2.0
// Entry: styles in order, then the page.

import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style/tokens.css';
import './style/base.css';
import './style/parts.css';
import './style/views.css';
import './style/trace.css';
import './lib/theme';
import { App } from './app';

render(<App />, document.getElementById('app')!);
