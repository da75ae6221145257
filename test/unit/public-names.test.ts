/**
 * What editors show of the package. Goal: no public name without a sentence that says what it is, no time without its unit, no
 * option without its default, no call without its errors. Method: the published declarations.
 */

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

interface PublicName {
  /** The type that it is a member of, or its own. */
  owner: string
  /** The first line of its declaration. */
  line: string
  /** What stands before it; `''`: nothing. */
  comment: string
}

/** The public names of a file: what can be imported, what that is made of, and the members of both. */
function publicNames(file: string): PublicName[] {
  const text = readFileSync(join(DIST, file), 'utf8')
  const { program, comments } = parseSync(file, text)
  const names: PublicName[] = []
  const add = (owner: string, { start, end }: Node) => {
    const line = text.slice(start, end).split('\n')[0] as string
    // Those that a class or a type inherits, and what only the language calls, need no words.
    if (/^(constructor|readonly name\b|override readonly name\b|private constructor)/.test(line)) return
    const before = comments.filter((each) => each.type === 'Block' && each.end <= start).at(-1)
    const isItsOwn = before !== undefined && text.slice(before.end, start).trim() === ''
    names.push({ owner, line, comment: isItsOwn ? before.value : '' })
  }
  const walk = (owner: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) return value.forEach((each) => walk(owner, each))
    const node = value as Node
    if (MEMBERS.includes(node.type)) add(owner, node)
    for (const [field, child] of Object.entries(node)) if (!['params', 'key', 'superClass'].includes(field)) walk(owner, child)
  }
  for (const statement of program.body as unknown as Node[]) {
    const declaration = (statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement) as Node | null
    const [, owner] = /(?:function|interface|type|class) (\w+)/.exec(text.slice(statement.start, statement.end)) ?? []
    if (declaration === null || owner === undefined) continue
    add(owner, statement)
    if (/Interface|Class/.test(declaration.type)) walk(owner, declaration)
  }
  return names
}

const said = (names: readonly PublicName[]) => names.map(({ owner, line }) => `${owner}: ${line}`)

/** These end in any case, and refuse nothing. */
const NEVER_FAILS = /^(export declare function formatDiagnostic|close\()/

describe.each(['index.d.ts', 'compat/proper-lockfile.d.ts'])('%s', (file) => {
  const names = publicNames(file)

  test('every public name has a comment that says what it is', () => {
    expect(names.length).toBeGreaterThan(20)
    expect(said(names.filter(({ comment }) => comment === ''))).toEqual([])
  })

  test('every time says its unit', () => {
    const times = names.filter(({ line }) =>
      /^(readonly )?(\w+Ms|since|stale|update|m\w+Timeout|maxRetryTime)\??: number/.test(line),
    )
    expect(times.length).toBeGreaterThan(3)
    expect(said(times.filter(({ comment }) => !/milliseconds|no meaning/.test(comment)))).toEqual([])
  })

  test('every option says what holds without it', () => {
    const options = names.filter(({ owner, line }) => owner.endsWith('Options') && /^\w+\?:/.test(line))
    const inOptions = options.filter(({ owner }) => owner !== 'MountlockErrorOptions')
    expect(inOptions.length).toBeGreaterThan(5)
    expect(said(inOptions.filter(({ comment }) => !/@default|absent|undefined/.test(comment)))).toEqual([])
  })

  test('every call says its errors', () => {
    const calls = names.filter(({ line }) => /^(export declare function )?\w+(<.*>)?\(/.test(line) && !NEVER_FAILS.test(line))
    expect(calls.length).toBeGreaterThan(5)
    // Of a function that is declared several times, one says it.
    const nameOf = ({ owner, line }: PublicName) => `${owner} ${/(\w+)(?:<.*>)?\(/.exec(line)?.[1]}`
    const saying = new Set(calls.filter(({ comment }) => /@throws|Throws/.test(comment)).map(nameOf))
    expect(said(calls.filter((call) => !saying.has(nameOf(call))))).toEqual([])
  })
})
