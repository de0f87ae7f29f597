// SPDX-License-Identifier: Apache-2.0
//
// What holds for everyone on every view; each function runs in the page (page.evaluate) and gives a list of
// what is wrong.

// What a screen reader would call each control, by the parts of the name computation the page uses.
export function nameless() {
  const text = (el) => (el.getAttribute('aria-label') ?? '').trim() || (el.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('').trim()
    || [...(el.labels ?? [])].map((l) => l.textContent).join('').trim() || (['INPUT', 'SELECT'].includes(el.tagName) ? '' : el.textContent.trim());
  const controls = document.querySelectorAll('a[href],button,input,select,textarea,[tabindex="0"],[role=img],[role=tree],[role=dialog],[role=region],[role=progressbar]:not([aria-hidden=true])');
  return [...controls].filter((el) => el.getClientRects().length > 0 && !text(el)).map((el) => el.outerHTML.slice(0, 120));
}

export function structure() {
  const out = [];
  if (document.querySelectorAll('main').length !== 1) out.push('not exactly one main');
  if (document.querySelectorAll('h1').length !== 1) out.push(`${document.querySelectorAll('h1').length} h1`);
  if (!document.documentElement.lang) out.push('no lang');
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) out.push(`id ${id} twice`);
  for (const attr of ['aria-controls', 'aria-describedby', 'aria-activedescendant']) {
    for (const el of document.querySelectorAll(`[${attr}]`)) {
      if (el.getAttribute('aria-expanded') !== 'false' && !document.getElementById(el.getAttribute(attr))) out.push(`${attr} of ${el.outerHTML.slice(0, 80)} leads nowhere`);
    }
  }
  if (document.querySelector('main').scrollWidth > document.querySelector('main').clientWidth + 1) out.push('scrolls sideways');
  for (const el of document.querySelectorAll('[tabindex]')) if (Number(el.getAttribute('tabindex')) > 0) out.push('positive tabindex');
  return out;
}

// Text whose computed colour on its computed background is under 4.5:1 (3:1 when large).
export function paleText() {
  const rgba = (s) => {
    const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    c.fillStyle = s;
    c.fillRect(0, 0, 1, 1);
    const d = c.getImageData(0, 0, 1, 1).data;
    return [d[0], d[1], d[2], d[3] / 255];
  };
  const known = new Map();
  const color = (s) => known.get(s) ?? known.set(s, rgba(s)).get(s);
  const lum = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((a, v, i) => a + v * [0.2126, 0.7152, 0.0722][i], 0);
  const background = (el) => {
    const stack = [];
    for (let e = el; e; e = e.parentElement) {
      const c = color(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) stack.push(c);
      if (c[3] === 1) break;
    }
    return stack.reverse().reduce((under, over) => under.map((u, i) => u * (1 - over[3]) + over[i] * over[3]), [255, 255, 255]);
  };
  const out = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !el.getClientRects().length || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(el.tagName)) continue;
    const style = getComputedStyle(el);
    if (style.visibility === 'hidden' || color(style.color)[3] === 0 || el.closest('.visually-hidden, .skip, :disabled')) continue;
    const a = lum(color(style.color)) + 0.05;
    const b = lum(background(el)) + 0.05;
    const ratio = a > b ? a / b : b / a;
    const size = parseFloat(style.fontSize);
    const need = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 600) ? 3 : 4.5;
    if (ratio < need) out.add(`${ratio.toFixed(2)} "${walker.currentNode.data.trim().slice(0, 30)}" .${el.className}`);
  }
  return [...out];
}
