/**
 * Columns on a terminal: as wide as their widest cell, the last one open. Widths count characters, and no colours. What the
 * terminal has no room for is cut off between two words.
 */

import { present } from '../../assert.js'
import { paint } from './output.js'

export interface Cell {
  text: string
  colour?: 'gray' | 'green' | 'red' | 'yellow'
}

export interface Column<Row> {
  head: string
  cell(row: Row): Cell | string
}

export interface Looks {
  isColoured?: boolean
  /** How many characters a line may have. */
  widthMax?: number | undefined
}

const GAP = 2

/** Whole cells as long as there is room, then the words of the next one. */
function cutCells(cells: readonly Cell[], widths: readonly number[], widthMax: number): Cell[] {
  let start = 0
  const kept: Cell[] = []
  for (const [column, cell] of cells.entries()) {
    if (start >= widthMax) break
    kept.push({ ...cell, text: cutAtWord(cell.text, widthMax - start) })
    start += present(widths[column], 'a column') + GAP
  }
  return kept
}

/** At most so many characters, the last of them `…` where words had to go. A word that is too long itself is cut. */
export function cutAtWord(text: string, charactersMax: number): string {
  const characters = [...text]
  if (characters.length <= charactersMax) return text
  if (charactersMax < 2) return '…'.slice(0, charactersMax)
  const room = characters.slice(0, charactersMax - 1).join('')
  const lastBreak = characters[charactersMax - 1] === ' ' ? room.length : room.lastIndexOf(' ')
  return `${lastBreak > 0 ? room.slice(0, lastBreak).trimEnd() : room}…`
}

/** A line for each row, below the heads. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[], look: Looks = {}): string[] {
  const cellOf = (cell: Cell | string): Cell => (typeof cell === 'string' ? { text: cell } : cell)
  const heads = columns.map(({ head }) => head)
  return tableLines(
    heads,
    rows.map((row) => columns.map(({ cell }) => cellOf(cell(row)))),
    look,
  )
}

export function tableLines(
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  { isColoured = true, widthMax = Number.POSITIVE_INFINITY }: Looks = {},
): string[] {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => [...(row[column]?.text ?? '')].length)))
  const line = (cells: readonly Cell[]) =>
    cutCells(cells, widths, widthMax)
      .map(({ text, colour }, column) => {
        const isLast = column === heads.length - 1
        const padding = isLast ? '' : ' '.repeat(Math.max(0, present(widths[column], 'a column') - [...text].length))
        return (colour === undefined || !isColoured ? text : paint(colour, text, process.stdout)) + padding
      })
      .join(' '.repeat(GAP))
      .trimEnd()
  return [line(heads.map((text) => ({ text, colour: 'gray' }))), ...rows.map(line)]
}

/** `4 s`, `12 min`, `3 h`, `5 d`: as much as a person wants to know. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`
}
