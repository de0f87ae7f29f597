// SPDX-License-Identifier: Apache-2.0
// A text of somebody's in Markdown (lib/markdown.ts). Headings stand below those of the page.

import { useMemo } from 'preact/hooks';
import { blocks, type Block, type Inline } from '../lib/markdown';

export function Markdown({ text }: { text: string }) {
  const tree = useMemo(() => blocks(text), [text]);
  return <div class="markdown"><Blocks list={tree} /></div>;
}

function Blocks({ list }: { list: Block[] }) {
  return <>{list.map((b) => <One b={b} />)}</>;
}

function One({ b }: { b: Block }) {
  switch (b.tag) {
    case 'h': {
      const inside = <Inlines list={b.inside} />;
      return b.level === 1 ? <h2>{inside}</h2> : b.level === 2 ? <h3>{inside}</h3> : <h4>{inside}</h4>;
    }
    case 'p': return <p><Inlines list={b.inside} /></p>;
    case 'pre': return <pre tabIndex={0} aria-label="Code">{b.text}</pre>;
    case 'hr': return <hr />;
    case 'quote': return <blockquote><Blocks list={b.inside} /></blockquote>;
    case 'list': {
      const items = b.items.map((i) => <li>{i.length === 1 && i[0]!.tag === 'p' ? <Inlines list={i[0]!.inside} /> : <Blocks list={i} />}</li>);
      return b.ordered ? <ol start={b.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case 'table': return (
      <table class="table"><thead><tr>{b.head.map((c) => <th><Inlines list={c} /></th>)}</tr></thead><tbody>{b.rows.map((r) => <tr>{r.map((c) => <td><Inlines list={c} /></td>)}</tr>)}</tbody></table>
    );
  }
}

function Inlines({ list }: { list: Inline[] }) {
  return <>{list.map((n) => {
    if (typeof n === 'string') return n;
    if (n.tag === 'br') return <br />;
    const inside = <Inlines list={n.inside} />;
    if (n.tag === 'a') return n.href.startsWith('/ui') ? <a href={n.href}>{inside}</a> : <a href={n.href} target="_blank" rel="noreferrer noopener">{inside}</a>;
    const Tag = n.tag;
    return <Tag>{inside}</Tag>;
  })}</>;
}
