/**
 * Draws what a command printed as a picture of a terminal, once for light pages and once for dark ones:
 * `node scripts/picture.mjs docs/nodes.txt` writes docs/nodes-light.svg and docs/nodes-dark.svg.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'

const THEMES = {
  light: { paper: '#f6f8fa', edge: '#d0d7de', ink: '#1f2328', faint: '#59636e', good: '#116329', bad: '#a40e26' },
  dark: { paper: '#161b22', edge: '#30363d', ink: '#e6edf3', faint: '#9198a1', good: '#56d364', bad: '#ff7b72' },
}
const [LINE, CHARACTER, MARGIN] = [20, 8.43, 18]

/** @param {string} text @param {keyof typeof THEMES} theme */
export function pictureOf(text, theme) {
  const { paper, edge, ink, faint, good, bad } = THEMES[theme]
  const lines = text.trimEnd().split('\n')
  const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * CHARACTER + 2 * MARGIN)
  const height = lines.length * LINE + 2 * MARGIN - 4
  /** @param {string} line */
  const inked = (line) => {
    const colour = /^(#|[A-Z ]+$)/.test(line) ? faint : ink
    const words = escaped(line).replace(/\bpass\b/g, `<tspan fill="${good}">pass</tspan>`)
    return [colour, words.replace(/\b(unsafe|failed)\b/g, `<tspan fill="${bad}">$1</tspan>`)]
  }
  const rows = lines.map((line, index) => {
    const [colour, words] = inked(line)
    return `<text x="${MARGIN}" y="${MARGIN + 12 + index * LINE}" fill="${colour}">${words}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14">
<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8" fill="${paper}" stroke="${edge}"/>
${rows.join('\n')}
</svg>
`
}

/** @param {string} text */
const escaped = (text) =>
  // Spaces that cannot be collapsed: columns stay columns.
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll(' ', '\u00a0')

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = process.argv[2] ?? 'docs/nodes.txt'
  const text = await readFile(file, 'utf8')
  for (const theme of /** @type {const} */ (['light', 'dark']))
    await writeFile(file.replace(/\.txt$/, `-${theme}.svg`), pictureOf(text, theme))
}
