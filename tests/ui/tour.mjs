// SPDX-License-Identifier: Apache-2.0
//
// The pictures of docs/tour.md: what is opened in skep while Cruddur runs, what must be there, what is done
// before the picture. tour.test.mjs walks them with every test run; taken anew they are by
//
//   make run                                   (let it run for five minutes)
//   node tests/ui/tour.mjs [folder]            (docs/img; SKEP_URL is where skep is)

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';

const q = encodeURIComponent;

// The slow request's SQL statements, one for each post.
const slowTrace = async (page) => {
  await page.locator('.trace-table tbody tr', { hasText: '/api/activities' }).first().locator('.trace-name').click();
  await page.locator('.w-row', { hasText: 'SELECT activities' }).nth(2).click();
  await page.locator('.sidebar .field').first().waitFor();
};

// Two clicks, and the board they made.
const onBoard = async (page) => {
  await page.getByRole('button', { name: 'Add to board' }).click();
  await page.getByRole('menuitem', { name: 'A new board' }).click();
  await page.getByRole('status').getByText('Added to').getByRole('link').click();
  await page.locator('.board-panel .heat').waitFor();
  await page.locator('.board-panel .uplot').waitFor();
};

// A failure of Cruddur's: its frame, its request, whom it met.
const failure = async (page) => {
  await page.getByRole('link', { name: /TroubleError/ }).last().click();
  await page.getByText('run_view').first().waitFor();
};

export const SHOTS = [
  { name: 'tour-home', path: '/ui/home?t=15m', ready: '.heatmap, canvas' },
  { name: 'tour-different', path: `/ui/query?t=15m&c=${q('HEATMAP(duration_ms)')}&w=${q('span.kind = "server"')}&w=${q('http.route = "/api/activities/home"')}&d=${q('duration_ms >= 100')}`, ready: '.different >> text=user_agent.original', run: (page) => page.locator('.different').evaluate((e) => e.scrollIntoView()) },
  { name: 'tour-slow', path: `/ui/traces?t=15m&sort=slow&live=0&w=${q('http.route = "/api/activities/home"')}`, ready: '.trace-table tbody tr', run: slowTrace },
  { name: 'tour-userid', path: `/ui/query?t=15m&c=${q('HEATMAP(duration_ms)')}&c=COUNT&by=UserId&w=${q('name = "home-activities-mock-data"')}`, ready: 'text=Cocomelon' },
  { name: 'tour-board', path: `/ui/query?t=15m&c=${q('HEATMAP(duration_ms)')}&c=COUNT&by=UserId&w=${q('name = "home-activities-mock-data"')}`, ready: 'text=Cocomelon', run: onBoard },
  { name: 'tour-map', path: '/ui/map?t=15m&live=0', ready: 'text=/[0-9] nodes/' },
  { name: 'tour-error', path: '/ui/errors?t=15m', ready: 'text=TroubleError', run: failure },
  { name: 'tour-logs', path: `/ui/logs?t=15m&lang=insights&iq=${q('parse body "http * * *" as path, status, words | filter ispresent(status) | stats count(*) as requests by words | sort requests desc')}`, ready: '.insights-table tbody tr' },
];

// Opens a picture's page and does what comes before it.
export async function show(page, url, shot) {
  await page.goto(url + shot.path + (process.env.SKEP_TOUR_ENV === '' ? '' : `&env=${process.env.SKEP_TOUR_ENV ?? 'demo'}`));
  await page.locator(shot.ready).first().waitFor();
  await shot.run?.(page);
  await page.mouse.move(2, 400);
}

async function main() {
  const out = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '../../docs/img');
  const browser = await launch();
  for (const shot of SHOTS.filter((s) => s.name.includes(process.env.SKEP_SHOTS ?? ''))) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark', reducedMotion: 'reduce' });
    page.setDefaultTimeout(15000);
    try {
      await show(page, process.env.SKEP_URL ?? 'http://127.0.0.1:4318', shot);
      await page.waitForTimeout(700);
      await page.screenshot({ path: join(out, `${shot.name}.png`) });
      console.log(shot.name);
    } catch (e) {
      console.log(`${shot.name}: ${e.message.split('\n')[0]}`);
      process.exitCode = 1;
      await page.screenshot({ path: join(out, `failed-${shot.name}.png`) });
    }
    await page.close();
  }
  await browser.close();
}
if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
