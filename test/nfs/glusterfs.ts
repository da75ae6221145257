/**
 * GlusterFS, twice: one brick, and two clients with the translators that `gluster volume create` gives them. No glusterd and no
 * network: what that would arrange is written down here, and they talk over a unix socket.
 *
 * Its programs know only the paths of an installed package, so they run in a root directory of their own, made of unpacked ones,
 * in a mount namespace of their own: of their mounts the machine sees only those below the shared directory.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TwoMounts } from './fuse.js'
import { cachedTree } from './lab/cached-tree.js'
import { withDependencies } from './lab/packages.js'
import { LabError, requireTools, runTool } from './lab/tools.js'

/** Changes when this file builds something else from the same packages. */
const RECIPE = 1

/** The directory of the mounts, as GlusterFS sees it. */
const INSIDE = '/work'
const SOCKET = `${INSIDE}/brick.socket`

const IN_ROOT = fileURLToPath(new URL('glusterfs-root.sh', import.meta.url))

/** @throws LabError */
export async function mountGlusterfs(): Promise<TwoMounts> {
  if (process.getuid?.() !== 0)
    throw new LabError('GlusterFS needs root: it keeps trusted.* attributes, and mounts without a helper')
  requireTools('mount', 'umount', 'unshare', 'chroot')
  const root = rootDirectory()
  const mounts = new TwoMounts()
  const { directory } = mounts
  runTool('mount', ['--bind', directory, directory])
  mounts.onClose(() => runTool('umount', [directory]))
  runTool('mount', ['--make-shared', directory])
  writeFileSync(join(directory, 'brick.vol'), BRICK)
  writeFileSync(join(directory, 'client.vol'), CLIENT)
  const start = (program: string, role: string, ...args: string[]) =>
    mounts.start([
      ...['unshare', '--mount', '--propagation', 'unchanged', 'sh', IN_ROOT, root, directory],
      ...[`/usr/sbin/${program}`, '--no-daemon', `--volfile=${INSIDE}/${role}.vol`, '--log-file=-', '--log-level=ERROR', ...args],
    ])
  start('glusterfsd', 'brick')
  await mounts.sees(() => existsSync(join(directory, 'brick.socket')), 'There is no brick')
  for (const name of ['a', 'b']) start('glusterfs', 'client', `${INSIDE}/${name}`)
  return await mounts.mounted()
}

function rootDirectory(): string {
  const packages = withDependencies('glusterfs-client')
  const finish = (root: string) => {
    for (const name of ['dev', 'proc', 'run', 'tmp', INSIDE]) mkdirSync(join(root, name), { recursive: true })
  }
  return cachedTree({ kind: 'glusterfs', packages, recipe: [String(RECIPE)], finish })
}

/** Each stands on the one before it. */
function volumes(...described: readonly (readonly [string, string, Record<string, string>?])[]): string {
  return described
    .map(([name, type, options = {}], index) => {
      const below = described[index - 1]?.[0]
      const lines = Object.entries(options).map(([key, value]) => `option ${key} ${value}`)
      return [
        `volume ${name}`,
        `type ${type}`,
        ...lines,
        ...(below === undefined ? [] : [`subvolumes ${below}`]),
        'end-volume',
        '',
      ]
    })
    .flat()
    .join('\n')
}

const OVER_SOCKET = { 'transport-type': 'socket', 'transport.address-family': 'unix' }

const BRICK = volumes(
  ['files', 'storage/posix', { directory: `${INSIDE}/exported` }],
  ['locks', 'features/locks'],
  ['brick', 'protocol/server', { ...OVER_SOCKET, 'transport.socket.listen-path': SOCKET, 'auth.addr.locks.allow': '*' }],
)

const CLIENT = volumes(
  [
    'remote',
    'protocol/client',
    { ...OVER_SOCKET, 'transport.socket.connect-path': SOCKET, 'remote-host': 'localhost', 'remote-subvolume': 'locks' },
  ],
  ['write-behind', 'performance/write-behind'],
  ['open-behind', 'performance/open-behind'],
  ['quick-read', 'performance/quick-read'],
  ['md-cache', 'performance/md-cache'],
)
