/**
 * Keeps the shape of the code, so that no engineer has to remember it: which room may import which, that no files import each
 * other in a circle, which rooms touch the file system, how long a file and a line may be. ARCHITECTURE.md says why.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'rolldown/utils'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

/** From the ground up. A room imports its own files, and rooms of the floors below. */
const FLOORS = [
  ['assert', 'types', 'errors'],
  ['protocol', 'advice'],
  ['drivers', 'log'],
  ['lock-type', 'mounts'],
  ['waiting'],
  ['link', 'advisory'],
  ['changeover', 'workbench', 'config'],
  ['locker'],
  ['index'],
  ['cli', 'compat'],
]
/** Beside each other on one floor, and yet one stands on the other. */
const STANDS_ON: Record<string, string[]> = {
  assert: ['errors'],
  log: ['drivers'],
}

/** What happens in these rooms happens through operations of the protocol, and drivers perform those. */
const WITHOUT_FILE_SYSTEM = ['protocol', 'advice', 'lock-type', 'mounts', 'waiting', 'link', 'changeover', 'workbench', 'locker']
const FILE_SYSTEM = /^(node:)?(fs|fs\/promises|child_process)$/
/** The one way from an operation of the protocol to system calls. */
const PERFORMS = /^src\/drivers\/(calls|file-operations)\.ts$/

/**
 * What a bundler does not see: an addon that cannot be part of a bundle, and parts of the program `locktester`, which is never
 * bundled. Everything else of the package works inside of a bundle.
 */
const LOOKED_UP_AT_RUN_TIME = ['src/advisory/fs-ext.ts', 'src/cli/run/child.ts', 'src/cli/run/keeping.ts']

const LINES_MAX = 350

interface SourceFile {
  path: string
  text: string
  imports: string[]
}

function sourceFile(path: string, text: string): SourceFile {
  const { module } = parseSync(path, text)
  const dynamic = module.dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start + 1, end - 1))
  const reexported = module.staticExports.flatMap(({ entries }) => entries.map(({ moduleRequest }) => moduleRequest?.value ?? ''))
  const named = [...module.staticImports.map(({ moduleRequest }) => moduleRequest.value), ...dynamic, ...reexported]
  return { path, text, imports: [...new Set(named)].filter((name) => name !== '').map((name) => resolveImport(path, name)) }
}

const resolveImport = (from: string, name: string) =>
  name.startsWith('.') ? join(from, '..', name).replace(/\.js$/, '.ts') : name

function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => sourceFile(`${folder}/${name}`, readFileSync(join(ROOT, folder, name), 'utf8')))
}

const roomOf = (path: string) => path.split('/')[1]?.replace(/\.ts$/, '') ?? ''
const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room))

/** What is permitted beside each other and no import uses: an exception that has outlived its reason. */
function unusedExceptions(files: SourceFile[], standsOn: Record<string, string[]>): string[] {
  const used = new Set(files.flatMap(({ path, imports }) => imports.map((to) => `${roomOf(path)} on ${roomOf(to)}`)))
  return Object.entries(standsOn)
    .flatMap(([from, rooms]) => rooms.map((to) => `${from} on ${to}`))
    .filter((pair) => !used.has(pair))
}

function wrongDirections(files: SourceFile[]): string[] {
  const isAllowed = (from: string, to: string) =>
    from === to || floorOf(to) < floorOf(from) || (STANDS_ON[from]?.includes(to) ?? false)
  return files.flatMap(({ path, imports }) =>
    imports
      .filter((to) => to.startsWith('src/') && !isAllowed(roomOf(path), roomOf(to)))
      .map((to) => `${path} imports ${to}: ${roomOf(path)} does not stand on ${roomOf(to)}`),
  )
}

function strayCalls(files: SourceFile[]): string[] {
  return files.flatMap(({ path, imports }) =>
    imports
      .filter((name) => WITHOUT_FILE_SYSTEM.includes(roomOf(path)) && FILE_SYSTEM.test(name))
      .map((name) => `${path} imports ${name}: drivers touch the file system for it`),
  )
}

function strayPerformers(files: SourceFile[]): string[] {
  return files.flatMap(({ path, imports }) =>
    roomOf(path) === 'drivers' ? [] : imports.filter((to) => PERFORMS.test(to)).map((to) => `${path} imports ${to}`),
  )
}

/** The rooms that a picture does not name. */
function missingIn(picture: string): string[] {
  const named = [...picture.matchAll(/class="name"[^>]*>([^<]*)</g)].flatMap(([, names = '']) => names.split(/ +/))
  return FLOORS.flat().filter((room) => !named.includes(room))
}

/** Each circle by its first file found; imports of types count, since a reader follows them too. */
function circles(files: SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const finished = new Set<string>()
  const found: string[] = []
  const visit = (path: string, way: string[]): void => {
    if (way.includes(path)) {
      found.push([...way.slice(way.indexOf(path)), path].join(' -> '))
      return
    }
    if (finished.has(path)) return
    for (const to of byPath.get(path)?.imports ?? []) visit(to, [...way, path])
    finished.add(path)
  }
  for (const { path } of files) visit(path, [])
  return found
}

const files = sourceFiles('src')

test('every file of src is in a room that has a place in the order', () => {
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter(({ path }) => floorOf(roomOf(path)) === -1).map(({ path }) => path)).toEqual([])
})

test('a room imports only rooms that stand below it', () => {
  expect(wrongDirections(files)).toEqual([])
  const planted = sourceFile('src/waiting/planted.ts', "import type { Held } from '../locker/held.js'")
  expect(wrongDirections([...files, planted])).toEqual([
    'src/waiting/planted.ts imports src/locker/held.ts: waiting does not stand on locker',
  ])
})

test('every exception to the order is one that an import needs', () => {
  expect(unusedExceptions(files, STANDS_ON)).toEqual([])
  expect(unusedExceptions(files, { ...STANDS_ON, protocol: ['waiting'] })).toEqual(['protocol on waiting'])
})

test('the picture of the rooms in ARCHITECTURE.md shows each of them', () => {
  expect(missingIn(readFileSync(join(ROOT, 'docs/rooms.svg'), 'utf8'))).toEqual([])
  expect(missingIn('<text class="name">types  errors</text>')).toContain('assert')
})

test('no files import each other in a circle', () => {
  expect(circles(files)).toEqual([])
  const planted = [
    sourceFile('src/log/one.ts', "export { two } from './two.js'"),
    sourceFile('src/log/two.ts', "await import('./one.js')"),
  ]
  expect(circles([...files, ...planted])).toEqual(['src/log/one.ts -> src/log/two.ts -> src/log/one.ts'])
})

test('the rooms of the protocol and of the locks leave the file system to the drivers', () => {
  expect(strayCalls(files)).toEqual([])
  const planted = sourceFile('src/link/planted.ts', "import { rm } from 'node:fs/promises'")
  expect(strayCalls([...files, planted])).toEqual([
    'src/link/planted.ts imports node:fs/promises: drivers touch the file system for it',
  ])
})

test('nothing but drivers performs an operation of the protocol', () => {
  expect(strayPerformers(files)).toEqual([])
  const planted = sourceFile('src/cli/planted.ts', "import { blockingCalls } from '../drivers/calls.js'")
  expect(strayPerformers([...files, planted])).toEqual(['src/cli/planted.ts imports src/drivers/calls.ts'])
})

test('only what no bundle can hold is looked up at run time', () => {
  const looksUp = ({ text }: SourceFile) => /\bcreateRequire\(|\bimport\.meta\.resolve\(/.test(text)
  expect(files.filter(looksUp).map(({ path }) => path)).toEqual(LOOKED_UP_AT_RUN_TIME)
  expect(looksUp(sourceFile('src/link/planted.ts', "import.meta.resolve('#planted')"))).toBe(true)
})

test(`no file of src is longer than ${LINES_MAX} lines`, () => {
  const tooLong = files.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX)
  expect(tooLong.map(({ path }) => path)).toEqual([])
})

/** As wide as the formatter makes code. What it leaves longer are texts and patterns. */
const LINE_LENGTH_MAX = 130
const COMMENT = /^\s*(\/\/|\*|\/\*\*)/

/** The subject of a sentence is a noun of the domain: a holder, a waiter, a judge, a process. Quoted words are another's. */
const PRONOUN = /\b(who|whom|whoever|somebody|someone|anybody|anyone|nobody|everybody|everyone)\b/i
const QUOTED = /`[^`]*`|"[^"]*"/g

const pronounsIn = (from: SourceFile[]) =>
  from.flatMap(({ path, text }) =>
    parseSync(path, text).comments.flatMap(({ value, start }) => {
      const found = PRONOUN.exec(value.replace(QUOTED, ''))
      return found === null ? [] : [`${path}:${text.slice(0, start).split('\n').length} ${found[0]}`]
    }),
  )

const longComments = (from: SourceFile[]) =>
  from.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => (COMMENT.test(line) && line.length > LINE_LENGTH_MAX ? [`${path}:${index + 1}`] : [])),
  )

test(`no line of a comment is longer than ${LINE_LENGTH_MAX} characters`, () => {
  expect(longComments(files)).toEqual([])
  const planted = sourceFile('src/link/planted.ts', `// ${'x'.repeat(LINE_LENGTH_MAX)}\nexport const planted = 1`)
  expect(longComments([planted])).toEqual(['src/link/planted.ts:1'])
})

test('no comment has a pronoun in the place of a holder, a waiter or a process', () => {
  expect(pronounsIn([...files, ...sourceFiles('test'), ...sourceFiles('benchmarks')])).toEqual([])
  const planted = sourceFile('src/link/planted.ts', '/** Ours. */\nexport const planted = 1 // `who` or "whom": whoever holds it')
  expect(pronounsIn([planted])).toEqual(['src/link/planted.ts:2 whoever'])
})
