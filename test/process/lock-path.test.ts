/** A lock is where its path says, or nowhere. */

import { mkdir, readdir } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href

test('a relative path in a directory whose name is no UTF-8 is refused: Node would lock in another directory', async () => {
  const folder = await temporaryFolder()
  const lookalike = join(folder, 'x\uFFFD')
  await mkdir(lookalike)
  const program = `import { createLocker } from ${JSON.stringify(LIBRARY)}
    await createLocker().acquire('a.lock').then(() => console.log('acquired'), ({ code }) => console.log(code))
    process.exit()`
  const script = `mkdir "$(printf 'x\\377')" && cd "$(printf 'x\\377')" && exec "$0" --input-type=module -e "$1"`
  const { stdout } = spawnSync('sh', ['-c', script, process.execPath, program], { cwd: folder, encoding: 'utf8' })
  expect(stdout).toBe('INVALID_ARGUMENT\n')
  expect(await readdir(lookalike)).toEqual([])
})
