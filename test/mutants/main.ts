/**
 * `npm run mutants [-- --only NAME] [-- --from NUMBER]`: leaves one step of the library out after the other, and tells which of them no test
 * notices. A step of the protocol in the simulator, in the set that is the shortest for it; one of the rest in a copy of the
 * repository, with the one test that must notice. Ends with 1 when a mutation survives that must be caught.
 */

import { parseArgs } from 'node:util'
import { MUTATIONS } from '../sim/mutation-list.js'
import { catchExhaustively, catchRandomly } from '../sim/table.js'
import { Copy } from './copy.js'
import { LIBRARY_MUTATIONS } from './library-list.js'

interface Mutant {
  name: string
  redundantBecause: string | null
  isCaught: () => Promise<boolean>
}

const { values } = parseArgs({ options: { only: { type: 'string' }, from: { type: 'string', default: '1' } } })

function chosen(copy: Copy): Mutant[] {
  const ofProtocol = MUTATIONS.map((mutation) => ({
    ...mutation,
    isCaught: async () => (await catchExhaustively(mutation)).isCaught || (await catchRandomly(mutation)).isCaught,
  }))
  const ofLibrary = LIBRARY_MUTATIONS.map((mutation) => ({ ...mutation, isCaught: () => copy.catches(mutation) }))
  const { only } = values
  const mutants = [...ofLibrary, ...ofProtocol].filter(({ name }) => only === undefined || name.includes(only))
  if (mutants.length === 0) throw new RangeError(`Expected --only to be part of the name of a mutation, got ${only}`)
  return mutants
}

/** On a terminal one line that changes; elsewhere one for each, because all of them take an hour. */
function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${text}` : `${text}\n`)
}

async function main(): Promise<void> {
  const copy = new Copy()
  const survivors: Mutant[] = []
  const noLongerRedundant: Mutant[] = []
  try {
    const mutants = chosen(copy)
    for (const [index, mutant] of mutants.entries()) {
      if (index + 1 < Number(values.from)) continue
      progress(`${index + 1} of ${mutants.length}, ${survivors.length} not caught: ${mutant.name}`)
      const isCaught = await mutant.isCaught()
      if (!isCaught && mutant.redundantBecause === null) survivors.push(mutant)
      if (isCaught && mutant.redundantBecause !== null) noLongerRedundant.push(mutant)
    }
    if (process.stderr.isTTY) progress('')
    for (const { name } of survivors) console.log(`survives: ${name}`)
    for (const { name, redundantBecause } of noLongerRedundant)
      console.log(`is caught, although it was thought to make no difference: ${name} (${redundantBecause})`)
    console.log(`${mutants.length} mutations, ${survivors.length} that no test notices and that are not explained`)
    if (survivors.length + noLongerRedundant.length > 0) process.exitCode = 1
  } finally {
    copy.remove()
  }
}

void main()
