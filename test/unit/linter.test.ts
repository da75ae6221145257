/** Goal: `npm run lint`, which `npm test` runs first, finds what it is there for. Method: a small package with a planted fault. */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test as it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const ENTRY = "import { use } from './used.js'\nawait use()\n"
const USED = 'export const use = () => Promise.resolve()\n'

/** The tool, with the project's own settings, in a package of these files. @returns its exit code and what it said */
function lint(command: string[], files: Record<string, string>): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'mountlock-lint-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'src'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'src', name), text)
  cpSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  cpSync(join(ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'planted', type: 'module' }))
  writeFileSync(join(folder, 'knip.json'), JSON.stringify({ entry: ['src/entry.ts'], project: ['src/**/*.ts'] }))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const [program = '', ...args] = command
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin', program), args, { cwd: folder, encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}

it.each([
  ['a promise that nothing waits for', { 'entry.ts': ENTRY.replace('await ', ''), 'used.ts': USED }, 'no-floating-promises'],
  [
    'a function with five positional parameters',
    { 'entry.ts': ENTRY, 'used.ts': `${USED}export const sum = (a = 1, b = 1, c = 1, d = 1, e = 1) => a + b + c + d + e\n` },
    'max-params',
  ],
  [
    'a function of more than 70 lines',
    { 'entry.ts': ENTRY, 'used.ts': `${USED}export function long() {\n${'  void use()\n'.repeat(69)}}\n` },
    'max-lines-per-function',
  ],
  [
    'nothing else',
    { 'entry.ts': ENTRY, 'used.ts': `${USED}export const sum = (a = 1, b = 1, c = 1, d = 1) => a + b + c + d\n` },
    null,
  ],
])('oxlint refuses %s', (_, files, rule) => {
  const { status, said } = lint(['oxlint', '--type-aware', 'src'], files)
  expect(status, said).toBe(rule === null ? 0 : 1)
  if (rule !== null) expect(said).toContain(rule)
})

it.each([
  ['an export that nothing uses', { 'entry.ts': ENTRY, 'used.ts': `${USED}export const spare = 1\n` }, 'spare'],
  ['a file that nothing uses', { 'entry.ts': ENTRY, 'used.ts': USED, 'spare.ts': USED }, 'spare.ts'],
  ['nothing else', { 'entry.ts': ENTRY, 'used.ts': USED }, null],
])('knip refuses %s', (_, files, name) => {
  const { status, said } = lint(['knip', '--no-progress', '--include', 'exports,types,files'], files)
  expect(status, said).toBe(name === null ? 0 : 1)
  if (name !== null) expect(said).toContain(name)
})
