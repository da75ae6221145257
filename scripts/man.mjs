/** Writes the manual page, man/locktester.1, from what the help is made of: the commands of the program. */

import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'

/** @typedef {import('../src/cli/shared/command.js').Command} Command */

/** @type {typeof import('../src/cli/shared/command.js')} */
const { COMPLETION, GLOBAL_OPTIONS } = await import('../build/cli/shared/command.js')

/** @param {string} text for roff, which takes a dot or an apostrophe at the start of a line for a request */
const plain = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')

/** @param {string} usage "Usage: locktester …", an empty line, and what it does */
function partsOf(usage) {
  const [line = '', ...about] = usage.replace(/^Usage: /, '').split('\n\n')
  return { line, about: about.join('\n\n') }
}

/** What the text of an option calls its value. */
const VALUE = /\b(SECONDS|FILE|TOKEN|HOST)\b/

/** @param {Pick<Command, 'options'>} command */
function optionsOf({ options }) {
  return Object.entries(options)
    .filter(([, { hidden }]) => !hidden)
    .flatMap(([name, { alias, describe, type, defaultDescription, default: byDefault, choices }]) => {
      const names = [name, ...[alias ?? []].flat()].sort((a, b) => a.length - b.length)
      const written = names.map((each) => `\\fB${plain(each.length === 1 ? `-${each}` : `--${each}`)}\\fR`).join(', ')
      const [said = 'VALUE'] = VALUE.exec(describe ?? '') ?? []
      const value = type === 'boolean' ? '' : ` \\fI${said}\\fR`
      const more = [
        ...(choices === undefined ? [] : [`One of: ${choices.join(', ')}.`]),
        ...((defaultDescription ?? byDefault) === undefined ? [] : [`Default: ${defaultDescription ?? byDefault}.`]),
      ]
      return ['.TP', `${written}${value}`, plain([`${describe ?? ''}.`, ...more].join(' '))]
    })
}

/** @param {Command} command */
const examplesOf = ({ examples }) =>
  examples.flatMap(([what, example]) => ['.PP', plain(`${what}:`), '.PP', '.nf', `    ${plain(example)}`, '.fi'])

/** The table of docs/cli.md. */
function exitStatus() {
  const page = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split('\n## Exit codes\n')
  const [list = ''] = section.split('\n## ')
  const rows = [...list.matchAll(/^\| *(\d[\d, ]*?) *\|[^|]*\|(.*)\|$/gm)]
  if (rows.length === 0) throw new Error('Expected exit codes in docs/cli.md, got none')
  return rows.flatMap(([, code = '', meaning = '']) => [
    '.TP',
    `\\fB${code}\\fR`,
    plain(`${meaning.trim().replaceAll('`', '')}.`),
  ])
}

/** @param {Command} command */
function sectionOf(command) {
  const { line, about } = partsOf(command.usage)
  const isWhole = command.command === '$0'
  return [
    ...(isWhole ? ['.SH DESCRIPTION'] : [`.SS locktester ${command.command}`, '.nf', plain(line), '.fi']),
    ...about.split('\n\n').flatMap((paragraph) => ['.PP', plain(paragraph)]),
    ...optionsOf(command),
    ...(isWhole ? optionsOf({ options: GLOBAL_OPTIONS }) : []),
    ...(command.notes === '' ? [] : ['.PP', plain(command.notes)]),
  ]
}

const completion = () => [
  '.SS locktester completion',
  '.nf',
  plain(COMPLETION.usage),
  '.fi',
  '.PP',
  plain(`Prints ${COMPLETION.describe}`),
]

/** @param {readonly Command[]} commands @param {string} version */
export function manualPage(commands, version) {
  const visible = commands.filter(({ describe }) => describe !== false)
  const [program, ...others] = visible.some(({ command }) => command === '$0')
    ? visible
    : [.../** @type {Command[]} */ (commands.slice(0, 1)), ...visible]
  if (program === undefined) throw new Error('Expected commands, got none')
  return `${[
    `.TH LOCKTESTER 1 "" "mountlock ${version}" "User Commands"`,
    '.SH NAME',
    plain('locktester - tells whether a shared mount can be trusted with file locks'),
    '.SH SYNOPSIS',
    ...[program, ...others].flatMap((command) => ['.nf', `\\fB${plain(partsOf(command.usage).line)}\\fR`, '.fi']),
    ...sectionOf(program),
    '.SH COMMANDS',
    ...others.flatMap(sectionOf),
    ...completion(),
    '.SH EXIT STATUS',
    ...exitStatus(),
    '.PP',
    plain('Cut short by a signal, every command ends by that signal, after it has cleaned up.'),
    '.SH EXAMPLES',
    ...[program, ...others].flatMap(examplesOf),
    '.SH FILES',
    '.TP',
    '/etc/rstudio/file\\-locks',
    plain('The configuration, unless RSTUDIO_CONFIG_DIR or XDG_CONFIG_DIRS name another directory.'),
    '.SH SEE ALSO',
    plain(
      'flock(1), flock(2), fcntl(2), nfs(5); docs/cli.md of the package, for more of the exit codes, and for what each command proves',
    ),
  ].join('\n')}\n`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { COMMANDS } = await import('../build/cli/commands.js')
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  await mkdir('man', { recursive: true })
  await writeFile('man/locktester.1', manualPage(COMMANDS, version))
}
