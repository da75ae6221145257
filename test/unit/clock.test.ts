/** Keeps it so that the library takes time from one place: src/drivers/clock.ts, which a test that fakes time does not reach. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync, Visitor } from 'rolldown/utils'
import { expect, test } from 'vitest'

const SOURCES = join(import.meta.dirname, '../../src')

/** Locktester is a program of its own: no test fakes its time. */
const EXEMPT = /^cli\/|^drivers\/clock\.ts$/

const GLOBALS = new Set([
  'Date',
  'performance',
  'queueMicrotask',
  ...['Timeout', 'Interval', 'Immediate'].flatMap((what) => [`set${what}`, `clear${what}`]),
])
const MEMBERS = new Set([
  'process.hrtime',
  'process.uptime',
  'process.nextTick',
  'Atomics.wait',
  'Atomics.waitAsync',
  'AbortSignal.timeout',
])
const MODULES = /^(node:)?(timers|timers\/promises|perf_hooks)$/

/** Where a file takes time from the platform itself. */
function ownTime(text: string): string[] {
  const { program, module } = parseSync('file.ts', text)
  const imported = new Set(module.staticImports.flatMap(({ entries }) => entries.map(({ localName }) => localName.value)))
  const found = module.staticImports.map(({ moduleRequest }) => moduleRequest.value).filter((name) => MODULES.test(name))
  if (/import \{[^}]*\buptime\b[^}]*\} from 'node:os'/.test(text)) found.push('os.uptime')
  new Visitor({
    CallExpression({ callee }) {
      if (callee.type === 'Identifier' && GLOBALS.has(callee.name) && !imported.has(callee.name)) found.push(callee.name)
    },
    NewExpression({ callee, arguments: args }) {
      if (callee.type === 'Identifier' && callee.name === 'Date' && args.length === 0) found.push('new Date()')
    },
    MemberExpression({ object, property }) {
      if (object.type !== 'Identifier' || property.type !== 'Identifier' || imported.has(object.name)) return
      const name = `${object.name}.${property.name}`
      if (MEMBERS.has(name) || GLOBALS.has(object.name)) found.push(name)
    },
  }).visit(program)
  return found
}

test('no file of the library asks a global for time', () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !EXEMPT.test(name),
  )
  expect(files.length).toBeGreaterThan(60)
  expect(files.flatMap((name) => ownTime(readFileSync(join(SOURCES, name), 'utf8')).map((what) => `${name}: ${what}`))).toEqual(
    [],
  )
})

test('what would is found', () => {
  const planted = `import { uptime } from 'node:os'
    import { setTimeout as sleep } from 'node:timers/promises'
    const a = [performance.now(), Date.now(), new Date(), process.hrtime.bigint(), Atomics.wait(w, 0, 0), AbortSignal.timeout(1)]
    setTimeout(f, 1); setInterval(f, 1); clearTimeout(t)`
  expect(ownTime(planted)).toEqual([
    'node:timers/promises',
    'os.uptime',
    'performance.now',
    'Date.now',
    'new Date()',
    'process.hrtime',
    'Atomics.wait',
    'AbortSignal.timeout',
    'setTimeout',
    'setInterval',
    'clearTimeout',
  ])
  expect(ownTime("import { setTimeout } from './drivers/clock.js'\nsetTimeout(f, 1)")).toEqual([])
})
