/** Columns on a terminal: as wide as their widest cell, the last one open. Widths count characters, and no colours. */

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

/** A line for each row, below the heads. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[], isColoured = true): string[] {
  const cellOf = (cell: Cell | string): Cell => (typeof cell === 'string' ? { text: cell } : cell)
  const heads = columns.map(({ head }) => head)
  return tableLines(
    heads,
    rows.map((row) => columns.map(({ cell }) => cellOf(cell(row)))),
    isColoured,
  )
}

export function tableLines(heads: readonly string[], rows: readonly (readonly Cell[])[], isColoured = true): string[] {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => [...(row[column]?.text ?? '')].length)))
  const line = (cells: readonly Cell[]) =>
    cells
      .map(({ text, colour }, column) => {
        const padding = column === heads.length - 1 ? '' : ' '.repeat(present(widths[column], 'a column') - [...text].length)
        return (colour === undefined || !isColoured ? text : paint(colour, text, process.stdout)) + padding
      })
      .join('  ')
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
