/**
 * The shipping protocol with one safety step removed: its source text is changed, transpiled and loaded as a bundle of
 * its own. A change that does not match the text exactly once is an error: then the step has moved, and the table with it.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { transformSync } from 'rolldown/utils'
import { BUNDLE_FILES, type ProtocolBundle } from './protocol.js'

export interface Edit {
  file: string
  from: string
  to: string
}

export interface Mutation {
  /** The step that is missing. */
  name: string
  edits: Edit[]
  /** The exhaustive set in which its absence shows, or {@link import('./mutation-list.js').REFUSALS}; `null`: in none, because the faults that it takes are not in any of them. */
  caughtIn: string | null
  /** Why nothing is caught: another step does the same, or the harness does not get there. `null`: it must be caught. */
  redundantBecause: string | null
}

const SOURCES = fileURLToPath(new URL('../../src/protocol/', import.meta.url))
const FILES = readdirSync(SOURCES).map((name) => name.replace(/\.ts$/, ''))
/** What the protocol stands on. */
const BELOW = ['assert', 'errors']

export function mutatedSources({ name, edits }: Mutation): Map<string, string> {
  const sources = new Map(FILES.map((file) => [file, readFileSync(`${SOURCES}${file}.ts`, 'utf8')]))
  for (const { file, from, to } of edits) {
    const parts = (sources.get(file) ?? '').split(from)
    if (parts.length !== 2)
      throw new Error(`Mutation "${name}": expected its text to be in ${file}.ts exactly once, got ${parts.length - 1}: ${from}`)
    sources.set(file, parts.join(to))
  }
  return sources
}

export async function loadMutation(mutation: Mutation): Promise<ProtocolBundle> {
  const directory = mkdtempSync(join(tmpdir(), 'mountlock-mutation-'))
  try {
    const protocol = join(directory, 'protocol')
    mkdirSync(protocol)
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
    // The bundler's: TypeScript 7 has no interface for programs yet.
    const transpile = (path: string, text: string) => writeFileSync(`${path}.js`, transformSync(`${path}.ts`, text).code)
    for (const file of BELOW) transpile(join(directory, file), readFileSync(`${SOURCES}../${file}.ts`, 'utf8'))
    for (const [file, text] of mutatedSources(mutation)) transpile(join(protocol, file), text)
    const modules = BUNDLE_FILES.map((file) => import(/* @vite-ignore */ pathToFileURL(join(protocol, `${file}.js`)).href))
    return Object.assign({}, ...(await Promise.all(modules))) as ProtocolBundle
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
