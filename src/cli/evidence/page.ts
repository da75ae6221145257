/**
 * One file that needs nothing else, to be kept and mailed: no script, no font, no picture from elsewhere. Light or dark as
 * the reader has it.
 */

const STYLE =
  ':root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;max-width:1240px;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'h2{margin-top:2.5rem}pre{overflow-x:auto;padding:.5rem;font-size:13px}svg{display:block;width:100%;height:auto;margin:1rem 0}' +
  'table{border-collapse:collapse}th,td{border:1px solid #8885;padding:.5rem;text-align:left}th,pre{background:#8881}' +
  '.pass{background:#2a42}.unsafe{background:#d336;font-weight:600}.failed,.unclear{background:#da04}summary{cursor:pointer}small{opacity:.7}' +
  '.verdict{padding:1rem 1.25rem;border-radius:8px;color:#fff;print-color-adjust:exact;-webkit-print-color-adjust:exact}' +
  '.verdict strong{display:block;font-size:1.6rem;line-height:1.2;margin-bottom:.4rem}.verdict p{margin:.2rem 0}' +
  '.good{background:#1a7f37}.unsure{background:#9a6700}.bad{background:#b01e28}h1{font-size:1.4rem;overflow-wrap:anywhere}' +
  '.facts td{overflow-wrap:anywhere}ul{padding-left:1.2rem}.wide{overflow-x:auto}.wide>svg{min-width:900px}.wide table{margin:1rem 0}.narrow{display:none}' +
  '.two{display:flex;flex-wrap:wrap;gap:0 3rem}.two>section{flex:1 1 20rem}' +
  // On a telephone six columns fit, and there is a drawing that is as narrow: what is cut off looks as if it were not there.
  '@media screen and (max-width:560px){.wide:not(.facts) :is(th,td){padding:.3rem .2rem;font-size:11px;line-height:1.3}}' +
  '@media screen and (max-width:932px){.wide:has(>svg){display:none}.narrow{display:block}.narrow svg{max-width:560px}}' +
  '@media (prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}}' +
  '@media print{:root{color-scheme:light}body{color:#1a1a1a;background:#fff;margin:0;max-width:none}.wide{overflow:visible}.wide>svg{min-width:0}' +
  'svg,table,.verdict,li{break-inside:avoid}h2,h2+p,summary{break-after:avoid}h2{margin-top:1.5rem}td,th{print-color-adjust:exact;-webkit-print-color-adjust:exact}' +
  // All is open on paper. What is written in a drawing can be read on the long side of a sheet.
  'details::details-content{content-visibility:visible}summary{list-style:none}.drawings{page:drawings}}@page drawings{size:landscape;margin:12mm}'

/** @param title plain text @param body markup */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeText(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeText(title)}</h1>
${body}
</body></html>
`
}

/** Green, amber or red: what a reader understands in a second. */
export type Mood = 'good' | 'unsure' | 'bad'

export function verdictMarkup(mood: Mood, headline: string, text: string): string {
  const lines = withoutHeadline(text, headline)
    .split('\n')
    .map((line) => `<p>${escapeText(line)}</p>`)
  return `<div class="verdict ${mood}"><strong>${escapeText(headline)}</strong>${lines.join('')}</div>`
}

/** On a terminal the text stands alone, and begins with the headline. */
function withoutHeadline(text: string, headline: string): string {
  if (!text.startsWith(`${headline}: `)) return text
  const rest = text.slice(headline.length + 2)
  return `${rest.charAt(0).toUpperCase()}${rest.slice(1)}`
}

/** What is known, a row each; a value keeps its lines, and may be broken behind a comma: options of a mount are one word. */
export function factsMarkup(facts: readonly (readonly [what: string, value: string])[]): string {
  const rows = facts.map(
    ([what, value]) =>
      `<tr><th>${escapeText(what)}</th><td>${escapeText(value).replaceAll('\n', '<br>').replaceAll(',', ',<wbr>')}</td></tr>`,
  )
  return `<div class="wide facts"><table>${rows.join('')}</table></div>`
}

/** When the page was written. */
export const dateText = () => `${new Date().toISOString().slice(0, 19).replace('T', ' ')} UTC`

export function provedMarkup({ proved, notProved }: { proved: readonly string[]; notProved: readonly string[] }): string {
  const section = (heading: string, items: readonly string[]) =>
    `<section><h2>${heading}</h2><ul>${items.map((item) => `<li>${escapeText(item)}</li>`).join('')}</ul></section>`
  const nothing = ['Nothing.']
  return `<div class="two">${section('What was proved', proved.length === 0 ? nothing : proved)}${section('What was not proved', notProved)}</div>`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text from outside, for a place between tags or quotation marks. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}
