/**
 * Text from outside (paths, file contents, error messages) made fit for one line of a log or a terminal: whatever could
 * begin a line, move the cursor, or change the direction of the writing is escaped, so that no name can forge a line.
 */

/** Control, format, private, unassigned and broken characters, and every blank but the plain space. */
const UNSAFE = /[\p{C}\p{Z}]/gu

export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === ' ') return ' '
    const codePoint = character.codePointAt(0) ?? 0
    return codePoint > 0xffff ? `\\u{${codePoint.toString(16)}}` : `\\u${codePoint.toString(16).padStart(4, '0')}`
  })
}

/** In double quotes, unambiguous, with at most `charactersMax` between them: an ellipsis stands for the rest. */
export function quote(text: string, charactersMax: number): string {
  let quoted = ''
  for (const character of text) {
    const escaped = character === '"' || character === '\\' ? `\\${character}` : printable(character)
    if (quoted.length + escaped.length > charactersMax) return `"${quoted}…"`
    quoted += escaped
  }
  return `"${quoted}"`
}
