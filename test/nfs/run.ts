/**
 * `npm run test:nfs -- [--soak] [what vitest takes]`: the suite on real NFS, alone. `--soak`: with the full figures, and
 * everything that takes too long for the short run; hours.
 */

import { spawnSync } from 'node:child_process'
import { REPOSITORY } from './lab/paths.js'

const rest = process.argv.slice(2).filter((argument) => argument !== '--soak')
const isSoak = rest.length < process.argv.length - 2
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'nfs', ...rest], {
  cwd: REPOSITORY,
  stdio: 'inherit',
  env: { ...process.env, MOUNTLOCK_LAB: '1', ...(isSoak && { MOUNTLOCK_SOAK: '1' }) },
})
process.exitCode = status ?? 1
