/** The lines of a stream that another machine writes: what it writes without an end is not kept. */

import { present } from '../../assert.js'
import type { Readable } from 'node:stream'

/** An answer has some thousand characters at most: the options of a mount are the longest part of one. */
export const LINE_CHARACTERS_MAX = 1024 * 1024

interface LineListener {
  onLine(text: string): void
  /** A line is longer than that. Nothing is read any more, and `onEnd` is not called. */
  onTooLong(): void
  onEnd(): void
}

export function readLines(input: Readable, { onLine, onTooLong, onEnd }: LineListener): void {
  let rest = ''
  let isOver = false
  const end = (tell: () => void) => {
    if (isOver) return
    isOver = true
    tell()
  }
  input.setEncoding('utf8').on('data', (text: string) => {
    if (isOver) return
    const [first = '', ...others] = text.split('\n')
    const lines = [rest + first, ...others]
    rest = present(lines.pop(), 'a last line')
    for (const line of lines) if (line.length <= LINE_CHARACTERS_MAX) onLine(line)
    if ([...lines, rest].every((line) => line.length <= LINE_CHARACTERS_MAX)) return
    rest = ''
    end(onTooLong)
    input.destroy()
  })
  const finish = () =>
    end(() => {
      if (rest !== '') onLine(rest)
      onEnd()
    })
  input.on('end', finish).on('close', finish).on('error', finish)
}
