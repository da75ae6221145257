/** The guide keeps up with the code: its examples run, every error code is explained, and its links lead somewhere. */

import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')
const DOCS = join(ROOT, 'docs')

/** The blocks of one language in a page. */
function blocks(page: string, language: string): string[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text as string)
}

test('the example of fencing tokens prints what the page says', async () => {
  const page = await readFile(join(DOCS, 'fencing-tokens.md'), 'utf8')
  const [program = ''] = blocks(page, 'js')
  const [expected] = blocks(page, '')
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, '--', await temporaryFolder()], {
    cwd: ROOT,
  })
  expect(stdout).toBe(expected)
})

test('the example for programs that come from proper-lockfile runs', async () => {
  const page = await readFile(join(DOCS, 'from-proper-lockfile.md'), 'utf8')
  const [program = ''] = blocks(page, 'js')
  const file = join(await temporaryFolder(), 'file')
  const inFolder = program.replaceAll("'some/file'", JSON.stringify(file))
  const script = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(file)}, '')\n${inFolder}\nprocess.exit()`
  await run(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT })
  expect(await readdir(dirname(file))).toContain('file.lock')
})

test('troubleshooting has a section for every error code, and none for others', async () => {
  const all = await readdir(join(ROOT, 'src'), { recursive: true })
  const files = all.filter((name) => name.endsWith('.ts') && !/^(cli|compat|config)\//.test(name))
  const sources = await Promise.all(files.map((file) => readFile(join(ROOT, 'src', file), 'utf8')))
  const named = [...sources.join('\n').matchAll(/code: '([A-Z]+_[A-Z_]+)'|'(FS_EXT_[A-Z_]+)'|\['([A-Z]+_[A-Z_]+)', /g)].map(
    ([, code, fsExt, row]) => code ?? fsExt ?? row,
  )
  const config = await readFile(join(ROOT, 'src/config/load.ts'), 'utf8')
  const codes = new Set([...named, ...(config.includes("'CONFIG_INVALID'") ? ['CONFIG_INVALID'] : [])])
  const page = await readFile(join(DOCS, 'troubleshooting.md'), 'utf8')
  const sections = [...page.matchAll(/^### (.*)$/gm)].map(([, title]) => title)
  expect([...sections].sort()).toEqual([...codes].sort())
  for (const code of codes) expect(page).toContain(`[${code}](#${code?.toLowerCase()})`)
})

test('troubleshooting names every reason for which a lock may be lost', async () => {
  const errors = await readFile(join(ROOT, 'src/errors.ts'), 'utf8')
  const reasons = [...(/type LostReason =([\s\S]*?)\n\n/.exec(errors)?.[1] ?? '').matchAll(/\| '([a-z-]+)'/g)].map(
    ([, reason]) => reason,
  )
  expect(reasons.length).toBeGreaterThan(3)
  const page = await readFile(join(DOCS, 'troubleshooting.md'), 'utf8')
  for (const reason of reasons) expect(page).toContain(`| \`${reason}\` `)
})

test('no page has two versions of a passage, as a merge leaves them', async () => {
  const inside = (await readdir(DOCS, { recursive: true })).filter((file) => file.endsWith('.md')).map((file) => join(DOCS, file))
  const outside = (await readdir(ROOT)).filter((file) => file.endsWith('.md')).map((file) => join(ROOT, file))
  for (const page of [...inside, ...outside]) expect(await readFile(page, 'utf8'), page).not.toMatch(/^(<{7}|>{7}) /m)
})

test('every link of the guide leads to a file, and to a heading in it', async () => {
  for (const name of (await readdir(DOCS)).filter((file) => file.endsWith('.md'))) {
    const page = await readFile(join(DOCS, name), 'utf8')
    for (const [link, target = ''] of page.matchAll(/\]\(([^)]*)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file, heading] = target.split('#')
      const path = file === '' ? join(DOCS, name) : join(DOCS, file as string)
      expect((await stat(path).catch(() => null)) !== null, `${name}: ${link}`).toBe(true)
      if (heading === undefined) continue
      const headings = [...(await readFile(path, 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, title]) => anchor(title as string))
      expect(headings, `${name}: ${link}`).toContain(heading)
    }
  }
})

const anchor = (title: string) =>
  title
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
