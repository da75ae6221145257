/** `npm run storm`: see options.ts for what it can be asked. */

import { writeFileSync } from 'node:fs'
import { type Options, readOptions, USAGE } from './options.js'
import { stormPage } from './picture.js'
import { runStorm, type StormResult } from './storm.js'
import { remarks, table } from './table.js'

async function main(options: Options): Promise<void> {
  const { kinds, processes, locks, seconds, seed, directory, html } = options
  console.log(`${processes} processes, ${locks} locks, ${seconds} s for each kind, seed ${seed}`)
  const results: StormResult[] = []
  for (const kind of kinds) results.push(await runStorm({ kind, processes, locks, seconds, seed, directory }))
  console.log(table(results))
  for (const result of results) for (const remark of remarks(result)) console.log(remark)
  if (html !== null) {
    writeFileSync(html, stormPage(results))
    console.log(`The picture: ${html}`)
  }
  if (results.some(({ violations, failures }) => violations.length + failures.length > 0)) process.exitCode = 1
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options === null) console.log(USAGE)
  else await main(options)
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  console.error(`${error.message}\n\n${USAGE}`)
  process.exitCode = 64
}
