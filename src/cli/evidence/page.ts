/**
 * One file that needs nothing else, to be kept and mailed: no script, no font, no picture from elsewhere. Light or dark as
 * the reader has it.
 */

const STYLE =
  ':root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;max-width:1240px;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'h2{margin-top:2.5rem}pre{overflow-x:auto;padding:.5rem;font-size:13px}svg{display:block;width:100%;height:auto;margin:1rem 0}' +
  'table{border-collapse:collapse}th,td{border:1px solid #8885;padding:.5rem;text-align:left}th,pre{background:#8881}' +
  '.pass{background:#2a42}.unsafe{background:#d336;font-weight:600}.failed,.unclear{background:#da04}summary{cursor:pointer}small{opacity:.7}' +
  '@media (prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}}'

/** @param title plain text @param body markup */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeText(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeText(title)}</h1>
${body}
</body></html>
`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text from outside, for a place between tags or quotation marks. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}
