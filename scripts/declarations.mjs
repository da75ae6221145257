/**
 * Puts the declarations of each entry point into one file: what its exports are made of, each with the comment above it.
 * What modules say of themselves, and to each other, is for those who read the source.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseSync } from 'rolldown/utils'

const FROM = 'build/types'
const TO = 'dist'

/** What `require` gives where a module exports something of this name. */
const WHOLE = / as 'module\.exports'$/

/** @typedef {{ file: string, comment: string, code: string }} Declared */

for (const entry of ['index.d.ts', 'compat/proper-lockfile.d.ts']) {
  /** @type {Map<string, Declared>} */
  const declared = new Map()
  const exported = await readModule(join(FROM, entry), declared)
  const whole = [...exported].find((name) => WHOLE.test(name))?.replace(WHOLE, '')
  const namespace = namespaceOf(declared, exported, whole)
  const lines = [...declared].map(([name, { comment, code }]) => comment + (exported.delete(name) ? 'export ' : '') + code)
  // Where there is a list of exports, even an empty one, nothing is exported without saying so.
  const text = [...lines, `export { ${[...exported].join(', ')} };\n`].join('\n')
  await writeFile(join(TO, entry), text)
  await writeFile(join(TO, entry.replace(/\.ts$/, '.cts')), namespace ?? text)
}

/**
 * A CommonJS module that is a function has its types in a namespace of the same name. The function is the one that the
 * namespace has as `lock`.
 *
 * @param {Map<string, Declared>} declared
 * @param {Set<string>} exported
 * @param {string | undefined} whole
 */
function namespaceOf(declared, exported, whole) {
  if (whole === undefined) return null
  const members = [...declared].filter(([name]) => name !== whole)
  const hidden = members.find(([name]) => !exported.has(name))
  if (hidden) throw new Error(`${hidden[1].file}: ${hidden[0]} would be exported by the namespace, and is not by the module`)
  const inside = members.map(([, { comment, code }]) => comment + code.replace(/^declare /, '')).join('\n')
  return `declare function ${whole}(...args: Parameters<typeof ${whole}.lock>): ReturnType<typeof ${whole}.lock>;
declare namespace ${whole} {
${inside.replaceAll(/^(?=.)/gm, '    ')}
}
export = ${whole};
`
}

/**
 * Adds what a module and those that it imports declare, and returns what it exports. Throws where a name is not the same
 * everywhere, or is declared twice: joining modules is so simple because none does that.
 *
 * @param {string} file
 * @param {Map<string, Declared>} declared by name
 */
async function readModule(file, declared) {
  const text = await readFile(file, 'utf8')
  /** @param {{ start: number, end: number }} node */
  const textOf = ({ start, end }) => text.slice(start, end)
  const { program, comments } = parseSync(file, text)
  /** @type {Set<string>} */
  const exported = new Set()
  let endOfLast = 0
  for (const statement of program.body) {
    const comment = comments.findLast(({ start, end }) => start >= endOfLast && end <= statement.start)
    endOfLast = statement.end
    if (statement.type === 'ImportDeclaration' || (statement.type === 'ExportNamedDeclaration' && !statement.declaration)) {
      const names = statement.specifiers.map((specifier) => textOf(specifier).replace(/^type /, ''))
      if (statement.type === 'ExportNamedDeclaration') for (const name of names) exported.add(name)
      if (!statement.source) continue
      const found = await readModule(join(dirname(file), statement.source.value.replace(/\.js$/, '.d.ts')), declared)
      const unknown = names.find((name) => !found.has(name))
      if (unknown) throw new Error(`${file}: ${unknown} is not exported under this name by ${statement.source.value}`)
      continue
    }
    const isExport = statement.type === 'ExportNamedDeclaration'
    const code = textOf(isExport && statement.declaration ? statement.declaration : statement)
    const name = /^(?:declare )?(?:abstract )?(?:class|const|function|interface|type) (\w+)/.exec(code)?.[1]
    if (!name || (declared.get(name)?.file ?? file) !== file)
      throw new Error(`${file}: declared twice, or not understood: ${code}`)
    if (isExport) exported.add(name)
    declared.set(name, { file, comment: comment ? `${textOf(comment)}\n` : '', code })
  }
  return exported
}
