/**
 * The documents as they are published. Goal: nothing in them leads nowhere, every example compiles, every recipe runs, and what is
 * generated is of this state of the source. Method: the packed tarball, the compiler, and the programs as they stand, each with a
 * directory of its own in the place of /shared/ann.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../build/cli/commands.js'
import { EXIT } from '../../src/cli/shared/exit-codes.js'
import { apiPages } from '../../scripts/api.mjs'
import { manualPage } from '../../scripts/man.mjs'
import { pictureOf } from '../../scripts/picture.mjs'
import { temporaryFolder } from './support/folder.js'
import { installed, ROOT } from './support/installed.js'

const run = promisify(execFile)
const README_LINES_MAX = 200
const RUN_MS_MAX = 30_000

interface Block {
  page: string
  title: string
  language: string
  text: string
}

const withoutCode = (page: string) => page.replace(/^( *)```[^]*?^\1```$/gm, '').replace(/`[^`\n]*`/g, '')

async function pages(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true })
  return all.filter((name) => name.endsWith('.md') && !name.startsWith('dist')).map((name) => join(folder, name))
}

/** As GitHub makes them: of headings that are the same, the later ones are counted. */
function anchorsOf(page: string): Set<string> {
  const counts = new Map<string, number>()
  const headings = [...page.replace(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return new Set(
    headings.map((heading) => {
      const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
      const anchor = words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
      const count = counts.get(anchor) ?? 0
      counts.set(anchor, count + 1)
      return count === 0 ? anchor : `${anchor}-${count}`
    }),
  )
}

/** Markdown's links and pictures, and those of HTML. */
function linksOf(page: string): string[] {
  const text = withoutCode(page)
  const ofMarkdown = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  const ofHtml = [...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)].map(([, link = '']) => link)
  return [...ofMarkdown, ...ofHtml].filter((link) => !/^(https?|mailto):/.test(link))
}

async function brokenLinks(file: string, root: string): Promise<string[]> {
  const page = await readFile(file, 'utf8')
  const broken: string[] = []
  for (const link of linksOf(page)) {
    const [path = '', anchor] = decodeURI(link).split('#')
    const target = path === '' ? file : join(dirname(file), path)
    const isThere = !relative(root, target).startsWith('..') && existsSync(target)
    const hasAnchor = anchor === undefined || (isThere && anchorsOf(await readFile(target, 'utf8')).has(anchor))
    if (!isThere || !hasAnchor) broken.push(`${relative(root, file)}: ${link}`)
  }
  return broken
}

async function blocksOf(file: string): Promise<Block[]> {
  const page = await readFile(file, 'utf8')
  const blocks: Block[] = []
  let title = ''
  for (const [, heading, indent = '', language = '', text = ''] of page.matchAll(/^#+ (.*)$|^( *)```(\w+)\n([^]*?)^\2```$/gm)) {
    if (heading !== undefined) title = heading
    else blocks.push({ page: relative(ROOT, file), title, language, text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), '') })
  }
  return blocks
}

const PUBLISHED = [join(ROOT, 'README.md'), ...(await pages(join(ROOT, 'docs')))]
const BLOCKS = (await Promise.all(PUBLISHED.filter((file) => !file.includes('/docs/api/')).map(blocksOf))).flat()

test('every link and anchor of the packed tarball leads somewhere', async () => {
  const root = join(await installed(), 'node_modules/mountlock')
  const broken = await Promise.all((await pages(root)).map((file) => brokenLinks(file, root)))
  expect(broken.flat()).toEqual([])
})

/** What the help, the manual page, messages and comments call a page: `docs/schema/test.json`. */
const PAGE_NAME = /\bdocs\/[\w./-]+\.(?:md|json|svg)/g

test('every page that the help, the manual page, a message or a comment of the packed tarball names is in it', async () => {
  const root = join(await installed(), 'node_modules/mountlock')
  const files = (await readdir(root, { recursive: true })).filter((name) => /\.(js|cjs|mjs|ts|1)$/.test(name))
  const named = await Promise.all(files.map(async (name) => (await readFile(join(root, name), 'utf8')).match(PAGE_NAME) ?? []))
  const pagesNamed = [...new Set(named.flat())]
  expect(pagesNamed).toEqual(expect.arrayContaining(['docs/schema/nodes.json', 'docs/file-systems.md']))
  expect(pagesNamed.filter((name) => !existsSync(join(root, name)))).toEqual([])
})

test('a link that leads nowhere is found', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'page.md'), '# A\n[b](b.md) [a](#a) [c](#c) `[d](d.md)` <img src="e.svg">\n')
  expect(await brokenLinks(join(folder, 'page.md'), folder)).toEqual(['page.md: b.md', 'page.md: #c', 'page.md: e.svg'])
})

test('every example in README and docs compiles, in a strict program', async () => {
  const folder = await withLibraries()
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const programs = BLOCKS.filter(({ language }) => language === 'ts')
  expect(programs.length).toBeGreaterThan(10)
  for (const [index, { page, title, text }] of programs.entries())
    await writeFile(join(folder, `example-${index}.ts`), `${text}\nexport {} // ${page}, ${title}\n`)
  const options = '--noEmit --strict --module nodenext --target es2023 --lib es2023,esnext.disposable'
  const names = programs.map((_, index) => `example-${index}.ts`)
  const compiled = run(join(ROOT, 'node_modules/.bin/tsc'), [...options.split(' '), ...names], { cwd: folder })
  expect(await compiled.catch(({ stdout }: { stdout: string }) => ({ stdout }))).toMatchObject({ stdout: '' })
  for (const { language, text } of BLOCKS) if (language === 'js') await transform(text, { format: 'esm' })
})

/** What the recipes name, each with what it needs itself. */
const LIBRARIES = ['fs-ext', 'nan', 'prom-client', 'tdigest', 'bintrees', '@opentelemetry']

async function withLibraries(): Promise<string> {
  const folder = await installed()
  for (const library of LIBRARIES) await symlink(join(ROOT, 'node_modules', library), join(folder, 'node_modules', library))
  return folder
}

/** What a program has to print, by its title, where that is the point of it. */
const PRINTS: Readonly<Record<string, RegExp>> = {
  'See which process holds it': /^nightly report: process \d+ on /m,
  'Take several locks without a deadlock': /\[ \d+n, \d+n \]/,
  'Lock in worker threads': /^\d+n$/m,
  'Test a program that locks': /^null$/m,
  'Count for Prometheus': /^mountlock_events_total\{event="acquire",outcome="acquired"\} 1$/m,
  'Write to your own logger': /event: 'release',[^]*outcome: 'released'/,
  'Lock in a serverless function': /^nightly is done$/m,
}

describe('every program of the tutorial, the recipes, the README and the library runs as it stands', () => {
  const isProgram = ({ page, language }: Block) =>
    (language === 'ts' || language === 'js') && /^(README|docs\/(how-to|library|tutorial))\.md$/.test(page)

  test.each(BLOCKS.filter(isProgram))('$page: $title', async ({ title, text }) => {
    const folder = await withLibraries()
    const shared = join(folder, 'shared')
    await mkdir(shared)
    await writeFile(join(shared, 'report.json'), '{ "runs": 0 }')
    const isCommonJs = text.includes('require(')
    const [format, file] = isCommonJs ? (['cjs', 'program.cjs'] as const) : (['esm', 'program.mjs'] as const)
    const { code } = await transform(text.replaceAll('/shared/ann', shared), { loader: 'ts', target: 'node20', format })
    await writeFile(join(folder, file), code)
    const { stdout, stderr } = await run(process.execPath, [file, shared], { cwd: folder, timeout: RUN_MS_MAX })
    expect(stderr).toBe('')
    expect(stdout).toMatch(PRINTS[title] ?? '')
  })

  test('each program that has to print something is there', () => {
    expect(BLOCKS.filter(isProgram).map(({ title }) => title)).toEqual(expect.arrayContaining(Object.keys(PRINTS)))
  })
})

describe('what is generated is of this state of the source (npm run docs writes it)', () => {
  test('the API reference', async () => {
    for (const [file, page] of await apiPages()) {
      expect(withoutCode(page)).not.toMatch(/\*\/|\{@/)
      expect(await readFile(join(ROOT, 'docs/api', file), 'utf8')).toBe(page)
    }
  })

  test('the manual page', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    const page = await readFile(join(ROOT, 'man/locktester.1'), 'utf8')
    expect(page).toBe(manualPage(COMMANDS, version))
    for (const { command, describe: summary } of COMMANDS)
      if (summary !== false && command !== '$0') expect(page).toContain(`locktester ${command}`)
    for (const heading of ['EXIT STATUS', 'EXAMPLES']) expect(page).toContain(`\n.SH ${heading}\n`)
    const codes = [...page.matchAll(/^\.TP\n\\fB(\d[\d, ]*)\\fR$/gm)].flatMap(([, row = '']) => row.split(', ').map(Number))
    expect(codes).toEqual(Object.values(EXIT).toSorted((one, other) => one - other))
    expect(page).toContain('\\fB\\-\\-older\\-than\\fR \\fISECONDS\\fR')
    expect(page).toContain('\\fB\\-\\-config\\fR \\fIFILE\\fR')
    // What the help says below the options, and what it has for every command.
    for (const schema of ['test', 'status', 'doctor', 'nodes']) expect(page).toContain(`docs/schema/${schema}.json`)
    for (const text of ['Default: terminate.', 'locktester completion [bash|zsh]', '\\fB\\-\\-version\\fR'])
      expect(page).toContain(text)
    // A heading is one line; further ways to write a command stand below it.
    for (const [, heading] of page.matchAll(/^\.SS (.*)\n/gm)) expect(heading).toMatch(/^locktester \w+$/)
  })

  test('the pictures of what locktester nodes printed, of which the README shows a part', async () => {
    const text = await readFile(join(ROOT, 'docs/nodes.txt'), 'utf8')
    for (const theme of ['light', 'dark'] as const)
      expect(await readFile(join(ROOT, `docs/nodes-${theme}.svg`), 'utf8')).toBe(pictureOf(text, theme))
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
    for (const line of text.trim().split('\n').slice(0, 4)) expect(readme).toContain(line)
  })
})

test('the changelog begins with the version of the package, and has no part beside it that belongs to none', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const changelog = await readFile(join(ROOT, 'CHANGELOG.md'), 'utf8')
  const versions = [...changelog.matchAll(/^## (.*)$/gm)].map(([, heading = '']) => heading)
  expect(versions[0]).toMatch(new RegExp(`^${version.replaceAll('.', '\\.')}\\b`))
  for (const heading of versions) expect(heading).toMatch(/^\d+\.\d+\.\d+\b/)
})

test('a reader that has found a fault learns where the report goes, also while the package names no address', async () => {
  const { bugs } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { bugs?: { url: string } }
  const contributing = await readFile(join(ROOT, 'CONTRIBUTING.md'), 'utf8')
  const [, section = ''] = contributing.split('\n## Where a report goes\n')
  expect(section.split('\n## ')[0]).toContain(bugs?.url ?? 'no address is known')
  for (const page of ['SECURITY.md', 'docs/file-systems.md', 'docs/cli.md'])
    expect(await readFile(join(ROOT, page), 'utf8'), page).toContain('CONTRIBUTING.md#where-a-report-goes')
})

test('the README is short', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(README_LINES_MAX)
})
