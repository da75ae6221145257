/** Builds the root file system of the guests: a plain directory that all of them boot from, read-only, through the host's file system. */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { cachedTree } from './cached-tree.js'
import { GUEST_PACKAGES, UML_PACKAGES } from './packages.js'
import { LabError, requireTools, runTool } from './tools.js'

/** Changes when this file builds something else from the same packages. */
const RECIPE = 5

export const SERVER_ADDRESS = '10.99.0.1'
export const ADDRESSES: Readonly<Record<string, string>> = {
  server: SERVER_ADDRESS,
  A: '10.99.0.11',
  B: '10.99.0.12',
  C: '10.99.0.13',
  D: '10.99.0.14',
}

const LIBRARY_DIRECTORY = 'usr/lib/x86_64-linux-gnu'
const DIRECTORIES = ['dev', 'etc', 'lab', 'mnt', 'proc', 'repo', 'root', 'run', 'srv', 'sys', 'tmp']

/** Returns the directory, built on first use. @throws LabError */
export function rootFileSystem(): string {
  requireTools('ldd')
  const packages = [...GUEST_PACKAGES, ...UML_PACKAGES]
  return cachedTree({ kind: 'root', packages, recipe: [String(RECIPE), process.version], finish })
}

function finish(root: string): void {
  for (const directory of DIRECTORIES) mkdirSync(join(root, directory), { recursive: true })
  mkdirSync(join(root, 'var/lib/nfs'), { recursive: true })
  rmSync(join(root, 'var/run'), { recursive: true, force: true })
  symlinkSync('/run', join(root, 'var/run'))
  cpSync(realpathSync(process.execPath), join(root, 'usr/bin/node'))
  addLibraries(root)
  addApplets(root)
  addModules(root)
  addConfiguration(root)
}

/** Every library that a program in there needs and no package brought comes from the host, as Node itself does. */
function addLibraries(root: string): void {
  const own = join(root, LIBRARY_DIRECTORY)
  const programs = ['usr/sbin', 'usr/bin', LIBRARY_DIRECTORY].flatMap((directory) =>
    readdirSync(join(root, directory), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(root, directory, entry.name)),
  )
  for (const program of programs) {
    for (const library of librariesOf(program, own)) {
      const isLoader = basename(library).startsWith('ld-linux')
      const target = join(isLoader ? join(root, 'usr/lib64') : own, basename(library))
      if (!existsSync(target)) cpSync(realpathSync(library), target)
    }
  }
}

function librariesOf(program: string, own: string): string[] {
  try {
    const text = runTool('ldd', [program], { env: { LD_LIBRARY_PATH: own } })
    return [...text.matchAll(/(\/\S+\.so\S*) \(/g)].map(([, path]) => path as string)
  } catch (error) {
    if (error instanceof LabError) return [] // a script, or linked statically
    throw error
  }
}

/** Busybox is the guests' shell and tools. */
function addApplets(root: string): void {
  const busybox = join(root, 'usr/bin/busybox')
  for (const applet of runTool(busybox, ['--list']).trim().split('\n')) {
    const taken = ['usr/bin', 'usr/sbin'].some((directory) => existsSync(join(root, directory, applet)))
    if (!taken) symlinkSync('/usr/bin/busybox', join(root, 'usr/bin', applet))
  }
}

function addModules(root: string): void {
  const [version] = readdirSync(join(root, 'usr/lib/uml/modules'))
  if (version === undefined) throw new LabError('The package user-mode-linux brought no kernel modules')
  mkdirSync(join(root, 'usr/lib/modules'), { recursive: true })
  renameSync(join(root, 'usr/lib/uml/modules', version), join(root, 'usr/lib/modules', version))
  runTool(join(root, 'usr/bin/busybox'), ['depmod', '-b', root, version])
}

/** The first one, with the number 0, is the root of the tree that version 4 sees. */
const EXPORTS = [
  ['/srv', 'rw,no_root_squash'],
  ['/srv/share', 'rw,no_root_squash'],
  ['/srv/small', 'rw,no_root_squash'],
  ['/srv/readonly', 'ro,no_root_squash'],
  ['/srv/squashed', 'rw,root_squash'],
  ['/srv/coarse', 'rw,no_root_squash'],
  ['/srv/quota', 'rw,all_squash,anonuid=1001,anongid=1001'],
] as const

function addConfiguration(root: string): void {
  const hosts = Object.entries(ADDRESSES).map(([name, address]) => `${address} ${hostName(name)}`)
  const files: Record<string, string> = {
    hosts: ['127.0.0.1 localhost', ...hosts].join('\n'),
    'nsswitch.conf': ['passwd', 'group', 'hosts', 'services', 'protocols', 'rpc'].map((name) => `${name}: files`).join('\n'),
    passwd: [
      'root:x:0:0:root:/root:/bin/sh',
      'daemon:x:1:1::/:/bin/false',
      '_rpc:x:101:65534::/run/rpcbind:/bin/false',
      'statd:x:102:65534::/var/lib/nfs:/bin/false',
      'user:x:1001:1001::/tmp:/bin/sh',
      'nobody:x:65534:65534::/:/bin/false',
    ].join('\n'),
    exports: EXPORTS.map((options, index) => `${options[0]} *(${options[1]},sync,no_subtree_check,insecure,fsid=${index})`).join(
      '\n',
    ),
    group: 'root:x:0:\ndaemon:x:1:\nuser:x:1001:\nnogroup:x:65534:',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'etc', name), `${text}\n`)
  symlinkSync('/proc/mounts', join(root, 'etc/mtab'))
  writeFileSync(join(root, 'lab/init'), INIT)
  chmodSync(join(root, 'lab/init'), 0o755)
}

export const hostName = (node: string): string => (node === 'server' ? 'server' : `node${node}`)

/** Only what it takes to reach the repository: the rest of the boot is in there, and is changed without building anything. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
repository=$(/bin/busybox sed -n 's/.*lab.repository=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
/bin/busybox mount -t hostfs -o "ro,$repository" none /repo || echo "lab: cannot see $repository"
exec /bin/busybox sh /repo/test/nfs/lab/guest/boot.sh
`
