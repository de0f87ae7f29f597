// SPDX-License-Identifier: Apache-2.0
//
// A subset of Markdown as a tree; no HTML is read and none is made (the tree becomes elements, its texts texts).
//
//   blocks   # heading · paragraph · - or 1. items · > quote · ``` code · --- line · | a | b | table
//   inline   **strong** *emphasis* `code` ~~gone~~ [text](https://...) <https://...> bare https://... \* as it is
//
// Links lead to http, https, mailto, or within the page (/ui/...); any other address stays text. Everything is read
// once from front to back: marks that nothing closes are looked for at most once a kind.

export type Inline = string | { tag: 'strong' | 'em' | 'code' | 'del'; inside: Inline[] } | { tag: 'a'; href: string; inside: Inline[] } | { tag: 'br' };
export type Block =
  | { tag: 'h'; level: number; inside: Inline[] } | { tag: 'p'; inside: Inline[] } | { tag: 'pre'; text: string } | { tag: 'hr' }
  | { tag: 'quote'; inside: Block[] } | { tag: 'list'; ordered: boolean; start: number; items: Block[][] } | { tag: 'table'; head: Inline[][]; rows: Inline[][][] };

const DEEPEST = 6;
const LINK = /^(?:https?:\/\/|mailto:|\/ui(?:\/|$))/i;

const MARKS: [string, 'strong' | 'em' | 'del'][] = [['**', 'strong'], ['__', 'strong'], ['~~', 'del'], ['*', 'em'], ['_', 'em']];

// Where `mark` closes what begins at `from`; -1 when nowhere. An underscore inside a word is a letter.
function closing(s: string, mark: string, from: number): number {
  for (let i = s.indexOf(mark, from + 1); i >= 0; i = s.indexOf(mark, i + 1)) {
    if (s[i - 1] === '\\' || /\s/.test(s[i - 1]!)) continue;
    if (mark.length === 1 && (s[i + 1] === mark || s[i - 1] === mark)) continue;
    if (mark[0] === '_' && /\w/.test(s[i + mark.length] ?? '')) continue;
    return i;
  }
  return -1;
}

export function inline(s: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  const hopeless = new Set<string>();
  let text = '';
  const put = (node: Inline) => {
    if (text) out.push(text);
    text = '';
    out.push(node);
  };
  const take = (i: number): number => {
    const c = s[i]!;
    if (c === '\\' && /[\\`*_~[\]<>#|!.()-]/.test(s[i + 1] ?? '')) {
      text += s[i + 1];
      return i + 2;
    }
    if (c === '\n') {
      if (/ {2}$/.test(text)) put({ tag: 'br' });
      else text += ' ';
      return i + 1;
    }
    if (c === '`' && !hopeless.has('`')) {
      const end = s.indexOf('`', i + 1);
      if (end > i) {
        put({ tag: 'code', inside: [s.slice(i + 1, end)] });
        return end + 1;
      }
      hopeless.add('`');
    }
    if (c === '[' && depth < DEEPEST) {
      const m = /^\[([^[\]\n]{1,500})\]\(([^()\s]{1,2000})\)/.exec(s.slice(i, i + 2600));
      if (m && LINK.test(m[2]!)) {
        put({ tag: 'a', href: m[2]!, inside: inline(m[1]!, depth + 1) });
        return i + m[0].length;
      }
    }
    if ((c === 'h' || c === '<') && (i === 0 || !/\w/.test(s[i - 1]!))) {
      const m = /^<?(https?:\/\/[^\s<>"]{1,2000}?)(?:>|(?=[.,;:!?)]*(?:\s|$)))/.exec(s.slice(i, i + 2100));
      if (m) {
        put({ tag: 'a', href: m[1]!, inside: [m[1]!] });
        return i + m[0].length;
      }
    }
    const mark = depth < DEEPEST ? MARKS.find(([m]) => !hopeless.has(m) && s.startsWith(m, i) && !/\s/.test(s[i + m.length] ?? ' ') && (m[0] !== '_' || !/\w/.test(s[i - 1] ?? ''))) : undefined;
    if (mark) {
      const end = closing(s, mark[0], i + mark[0].length - 1);
      if (end > i) {
        put({ tag: mark[1], inside: inline(s.slice(i + mark[0].length, end), depth + 1) });
        return end + mark[0].length;
      }
      hopeless.add(mark[0]);
    }
    text += c;
    return i + 1;
  };
  for (let i = 0; i < s.length;) i = take(i);
  if (text) out.push(text);
  return out;
}

const ITEM = /^(\s{0,3})([-*+]|(\d{1,9})[.)])\s+(.*)$/;
const RULE = /^\s{0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/;
const cellsOf = (line: string) => line.trim().replace(/^\||\|$/g, '').split('|').map((c) => inline(c.trim()));
const begins = (line: string) => /^\s{0,3}(?:#{1,6}\s|>|```)/.test(line) || ITEM.test(line) || RULE.test(line);

export function blocks(source: string, depth = 0): Block[] {
  const lines = source.replace(/\r\n?/g, '\n').split('\n');
  const out: Block[] = [];
  let i = 0;
  // Lines from i on for as long as they belong, without what marks them.
  const gather = (belongs: (line: string) => string | null): string[] => {
    const got: string[] = [];
    for (; i < lines.length; i++) {
      const line = belongs(lines[i]!);
      if (line === null) break;
      got.push(line);
    }
    return got;
  };
  const list = (m: RegExpExecArray): Block => {
    const ordered = m[3] !== undefined;
    const items: Block[][] = [];
    for (let next: RegExpExecArray | null = m; next && (next[3] !== undefined) === ordered; next = ITEM.exec(lines[i] ?? '')) {
      const first = next[4]!;
      i++;
      const rest = gather((l) => (/^\s{2,}\S/.test(l) ? l.replace(/^ {1,4}/, '') : null));
      items.push(blocks([first, ...rest].join('\n'), depth + 1));
    }
    return { tag: 'list', ordered, start: Number(m[3] ?? 1), items };
  };
  while (i < lines.length) {
    const line = lines[i]!;
    const head = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line);
    const item = depth < DEEPEST ? ITEM.exec(line) : null;
    if (line.trim() === '') i++;
    else if (/^\s{0,3}```/.test(line)) {
      i++;
      out.push({ tag: 'pre', text: gather((l) => (/^\s{0,3}```/.test(l) ? null : l)).join('\n') });
      i++;
    } else if (head) {
      out.push({ tag: 'h', level: head[1]!.length, inside: inline(head[2]!) });
      i++;
    } else if (RULE.test(line)) {
      out.push({ tag: 'hr' });
      i++;
    } else if (/^\s{0,3}>/.test(line) && depth < DEEPEST) out.push({ tag: 'quote', inside: blocks(gather((l) => (/^\s{0,3}>/.test(l) ? l.replace(/^\s{0,3}> ?/, '') : null)).join('\n'), depth + 1) });
    else if (item) out.push(list(item));
    else if (line.includes('|') && /^[\s|:-]*-[\s|:-]*$/.test(lines[i + 1] ?? '') && lines[i + 1]!.includes('|')) {
      const titles = cellsOf(line);
      i += 2;
      out.push({ tag: 'table', head: titles, rows: gather((l) => (l.includes('|') ? l : null)).map(cellsOf) });
    } else {
      const first = lines[i++]!;
      out.push({ tag: 'p', inside: inline([first, ...gather((l) => (l.trim() === '' || begins(l) ? null : l))].join('\n')) });
    }
  }
  return out;
}
