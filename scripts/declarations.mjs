/**
 * Puts the declarations of each entry point into one file: what its exports are made of, each with the comment above it.
 * What modules say of themselves, and to each other, is for readers of the source.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseSync } from 'rolldown/utils'

const FROM = 'build/types'
const TO = 'dist'

/** What begins a declaration; the lines in it are indented. */
const DECLARES = /^(?:declare )?(?:abstract )?(?:class|const|function|interface|type) (\w+)/m

/** From TypeScript 6 on a program has the types of Node only where it, or what it imports, asks for them. */
const NODE = '/// <reference types="node" />\n'

/** What `require` gives where a module exports something of this name. */
const WHOLE = / as 'module\.exports'$/

/** `code` has a comment and a statement for each overload. @typedef {{ file: string, code: string }} Declared */

for (const entry of ['index.d.ts', 'compat/proper-lockfile.d.ts']) {
  /** @type {Map<string, Declared>} */
  const declared = new Map()
  const exported = await readModule(join(FROM, entry), declared, new Map())
  const whole = [...exported].find((name) => WHOLE.test(name))?.replace(WHOLE, '')
  const namespace = namespaceOf(declared, exported, whole)
  const lines = [...declared].map(([name, { code }]) =>
    exported.delete(name) ? code.replaceAll(new RegExp(DECLARES, 'gm'), 'export $&') : code,
  )
  // Where there is a list of exports, even an empty one, nothing is exported without saying so.
  const text = [...lines, `export { ${[...exported].join(', ')} };\n`].join('\n')
  await writeFile(join(TO, entry), NODE + text)
  await writeFile(join(TO, entry.replace(/\.ts$/, '.cts')), NODE + (namespace ?? text))
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
  const inside = members.map(([, { code }]) => code.replaceAll(/^declare /gm, '')).join('\n')
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
 * @param {Map<string, Promise<Set<string>>>} read what each module exports: many import the same one
 * @returns {Promise<Set<string>>}
 */
function readModule(file, declared, read) {
  const reading = read.get(file) ?? readOnce(file, declared, read)
  read.set(file, reading)
  return reading
}

/**
 * @param {string} file
 * @param {Map<string, Declared>} declared
 * @param {Map<string, Promise<Set<string>>>} read
 */
async function readOnce(file, declared, read) {
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
      const found = await readModule(join(dirname(file), statement.source.value.replace(/\.js$/, '.d.ts')), declared, read)
      const unknown = names.find((name) => !found.has(name))
      if (unknown) throw new Error(`${file}: ${unknown} is not exported under this name by ${statement.source.value}`)
      continue
    }
    const isExport = statement.type === 'ExportNamedDeclaration'
    const code = textOf(isExport && statement.declaration ? statement.declaration : statement)
    const name = DECLARES.exec(code)?.[1]
    if (!name || (declared.get(name)?.file ?? file) !== file)
      throw new Error(`${file}: declared twice, or not understood: ${code}`)
    if (isExport) exported.add(name)
    const earlier = declared.get(name)?.code
    declared.set(name, { file, code: `${earlier ? `${earlier}\n` : ''}${comment ? `${textOf(comment)}\n` : ''}${code}` })
  }
  return exported
}
