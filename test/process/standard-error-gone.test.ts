/**
 * Programs whose standard error leads nowhere. Goal: what the library says of its own accord ends no program, however often it
 * says it. Method: real pipes without a reader, full devices and limits; the program tells on standard output that it goes on.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { program } from './support/program.js'

const COMPAT = new URL('../../dist/compat/proper-lockfile.js', import.meta.url).href

const NOWHERE = [
  ['a pipe that no program reads', 'exec 2> >(exec true); wait $!'],
  ['a full device', 'exec 2> /dev/full'],
  ['nothing, since it is closed', 'exec 2>&-'],
  ['a file beyond ulimit -f', 'f=$(mktemp); exec 2> "$f"; rm "$f"; ulimit -f 0'],
] as const

test.each(NOWHERE)('warnings about the configuration go to %s: the program goes on', async (_, before) => {
  const config = join(await temporaryFolder(), 'file-locks')
  await writeFile(config, 'lock-type\n')
  const told = await program(
    `import { setTimeout as sleep } from 'node:timers/promises'
    let warnings = 0
    process.on('warning', () => warnings++)
    for (let turn = 0; turn < 3; turn++) {
      createLocker({ config: process.argv[1] })
      await sleep(50)
    }
    tell({ warnings, listeners: process.stderr.listenerCount('error') })`,
    { before, args: [config] },
  )
  expect(told).toEqual([{ warnings: 3, listeners: 0 }])
})

test('of many warnings at once Node says nothing but these', async () => {
  const config = join(await temporaryFolder(), 'file-locks')
  await writeFile(config, 'lock-type\n'.repeat(20))
  const told = await program(
    `const types = new Set()
    process.on('warning', ({ name }) => types.add(name))
    createLocker({ config: process.argv[1] })
    setTimeout(() => tell({ types: [...types], listeners: process.stderr.listenerCount('error') }), 50)`,
    { args: [config] },
  )
  expect(told).toEqual([{ types: ['MountlockConfigWarning'], listeners: 0 }])
})

test('warnings of lost locks go to a pipe that no program reads: the program goes on', async () => {
  const told = await program(
    `import { once } from 'node:events'
    import { writeFileSync, rmSync } from 'node:fs'
    import lockfile from ${JSON.stringify(COMPAT)}
    const alive = setInterval(() => {}, 1000)
    for (const name of ['one', 'two']) {
      const file = process.argv[1] + '/' + name
      writeFileSync(file, '')
      await lockfile.lock(file, { stale: 2000, update: 1000 })
      rmSync(file + '.lock', { recursive: true })
      const [{ code }] = await once(process, 'warning')
      tell(code)
    }
    await new Promise(setImmediate)
    clearInterval(alive)
    tell('goes on')`,
    { before: NOWHERE[0][1], args: [await temporaryFolder()] },
  )
  expect(told).toEqual(['ECOMPROMISED', 'ECOMPROMISED', 'goes on'])
})
