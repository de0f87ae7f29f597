// SPDX-License-Identifier: Apache-2.0
//
// A part of the page as a PNG, in the colours it has: its canvases, SVGs, filled boxes and texts are drawn
// where they stand. What is only there to be pressed or pointed at (buttons, read-outs) is left out; a value that opens a menu is a text.
//
//   for each element, outside in: its background; a canvas by itself; an SVG with its computed styles
//   written into it, as a data: image; the lines of each text

const OUT = '.button, .icon-button, .map-zoom, .readout, .visually-hidden, .u-over, .u-select, .heat-line, .heat-cell, [data-no-picture]';
const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'fill-opacity', 'font-size', 'font-family', 'font-weight', 'text-anchor', 'paint-order', 'stroke-linejoin', 'stroke-linecap'];
const EDGE = 12;

const isClear = (color: string) => color === 'transparent' || /^rgba\(.*, 0\)$/.test(color);

async function svgImage(svg: SVGSVGElement): Promise<HTMLImageElement> {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = [svg, ...svg.querySelectorAll<SVGElement>('*')];
  [copy, ...copy.querySelectorAll<SVGElement>('*')].forEach((el, i) => {
    const style = getComputedStyle(from[i]!);
    for (const s of STYLES) el.style.setProperty(s, style.getPropertyValue(s));
  });
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

// Text nodes give a rectangle a line; a line's own words are those whose range lies in it.
function drawText(c: CanvasRenderingContext2D, node: Text, style: CSSStyleDeclaration, x0: number, y0: number) {
  const range = document.createRange();
  let line = '';
  let at: DOMRect | null = null;
  const flush = () => {
    if (at && line.trim()) c.fillText(line.trim(), at.left - x0, at.top - y0 + at.height / 2);
    line = '';
  };
  c.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  c.fillStyle = style.color;
  c.textBaseline = 'middle';
  for (const m of node.data.matchAll(/\s*\S+/g)) {
    range.setStart(node, m.index + m[0].search(/\S/));
    range.setEnd(node, m.index + m[0].length);
    const r = range.getBoundingClientRect();
    if (at && Math.abs(r.top - at.top) > 2) flush();
    if (line === '') at = r;
    line += m[0];
  }
  flush();
}

async function draw(c: CanvasRenderingContext2D, el: Element, x0: number, y0: number): Promise<void> {
  const style = getComputedStyle(el);
  if (el.matches(OUT) || style.display === 'none' || style.visibility === 'hidden') return;
  const r = el.getBoundingClientRect();
  if (!isClear(style.backgroundColor)) {
    c.fillStyle = style.backgroundColor;
    c.fillRect(r.left - x0, r.top - y0, r.width, r.height);
  }
  if (el instanceof HTMLCanvasElement) {
    if (el.width && el.height) c.drawImage(el, r.left - x0, r.top - y0, r.width, r.height);
    return;
  }
  if (el instanceof SVGSVGElement) {
    if (r.width && r.height) c.drawImage(await svgImage(el), r.left - x0, r.top - y0, r.width, r.height);
    return;
  }
  for (const child of el.childNodes) {
    if (child instanceof Text) drawText(c, child, style, x0, y0);
    else if (child instanceof Element) await draw(c, child, x0, y0);
  }
}

// `el` with a margin, twice as fine as the screen's points where they are coarse.
export async function pictureOf(el: Element): Promise<Blob> {
  const r = el.getBoundingClientRect();
  const scale = Math.max(2, devicePixelRatio || 1);
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil((r.width + 2 * EDGE) * scale);
  canvas.height = Math.ceil((r.height + 2 * EDGE) * scale);
  const c = canvas.getContext('2d')!;
  c.scale(scale, scale);
  c.fillStyle = getComputedStyle(document.body).backgroundColor;
  c.fillRect(0, 0, r.width + 2 * EDGE, r.height + 2 * EDGE);
  await draw(c, el, r.left - EDGE, r.top - EDGE);
  return new Promise((done, failed) => canvas.toBlob((b) => (b ? done(b) : failed(new Error('the picture could not be drawn'))), 'image/png'));
}
