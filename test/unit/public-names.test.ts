/** What editors show of the package. Goal: no public name without a sentence that says what it is. Method: the published declarations. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'rolldown/utils'
import { describe, expect, test } from 'vitest'

const DIST = join(import.meta.dirname, '../../dist')

interface Node {
  type: string
  start: number
  end: number
  [field: string]: unknown
}

/** What stands in a declaration and can be named by a program: members, not the parameters of functions. */
const MEMBERS = ['TSPropertySignature', 'TSMethodSignature', 'PropertyDefinition', 'MethodDefinition']

/** The public names of a file that have no comment, each with its line. */
function unexplained(file: string): string[] {
  const text = readFileSync(join(DIST, file), 'utf8')
  const { program, comments } = parseSync(file, text)
  const isBefore = (end: number, start: number) => end <= start && text.slice(end, start).trim() === ''
  const isExplained = ({ start }: Node) => comments.some(({ type, end }) => type === 'Block' && isBefore(end, start))
  const missing: string[] = []
  const look = (node: Node) => {
    const ownName = text.slice(node.start, node.end).split('\n')[0] as string
    // Those that a class or a type inherits, and what only the language calls, need no words.
    const isPlain = /^(constructor|readonly name\b|override readonly name\b|private constructor)/.test(ownName)
    if (!isPlain && !isExplained(node)) missing.push(`${file}: ${ownName}`)
  }
  const walk = (value: unknown, isMember: boolean) => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) return value.forEach((each) => walk(each, isMember))
    const node = value as Node
    if (isMember && MEMBERS.includes(node.type)) look(node)
    for (const [field, child] of Object.entries(node)) if (!['params', 'key', 'superClass'].includes(field)) walk(child, true)
  }
  for (const statement of program.body as unknown as Node[]) {
    if (statement.type !== 'ExportNamedDeclaration' || !statement.declaration) continue
    look(statement)
    if (/Interface|Class/.test((statement.declaration as Node).type)) walk(statement.declaration, true)
  }
  return missing
}

describe('every public name has a comment that says what it is', () => {
  test.each(['index.d.ts', 'compat/proper-lockfile.d.ts'])('%s', (file) => {
    expect(unexplained(file)).toEqual([])
  })
})
