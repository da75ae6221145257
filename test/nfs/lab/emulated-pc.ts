/**
 * What the emulated PCs are made of: QEMU with all its libraries, a stock Debian kernel with its modules, and the first file
 * system that this kernel sees, which does no more than mount the root that User-mode Linux boots from too.
 */

import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedTree } from './cached-tree.js'
import { currentKernel, withDependencies } from './packages.js'
import { requireTools, runTool } from './tools.js'

export interface EmulatedPc {
  /** Starts the emulator with libraries of its own, whatever the host has. */
  command: readonly [string, ...string[]]
  env: Record<string, string>
  kernel: string
  initramfs: string
  /** Its modules, for `/usr/lib/modules` of the guest. */
  modules: string
}

/** Changes when this file builds something else from the same packages. */
const RECIPE = 2

/** Debian's packages that name its current kernels, and the kind of tree that each makes. */
const KERNELS = {
  stock: { name: 'linux-image-amd64', kind: 'pc' },
  newer: { name: 'linux-image-6.12-amd64', kind: 'newer-pc' },
} as const
export type Kernel = keyof typeof KERNELS

/** The guest's first program. */
const INIT = fileURLToPath(new URL('guest/initramfs.sh', import.meta.url))

/** What the kernel needs before it sees its root, where the others are; not every one has each of them. */
const FIRST_MODULES = ['drivers/virtio', 'fs/9p', 'fs/fscache', 'fs/netfs', 'net/9p']

/** The bulk of the modules, for devices that the emulated PC has not got. */
const NEEDLESS_MODULES = [
  'sound',
  ...['gpu', 'infiniband', 'iio', 'media', 'net/ethernet', 'net/wireless', 'scsi', 'usb'].map((name) => `drivers/${name}`),
]

const LIBRARIES = 'usr/lib/x86_64-linux-gnu'

/** Builds it on first use. @throws LabError */
export function emulatedPc(which: Kernel): EmulatedPc {
  requireTools('apt-cache')
  const { name, kind } = KERNELS[which]
  const packages = ['busybox-static', currentKernel(name), ...withDependencies('qemu-system-x86')]
  const tree = cachedTree({ kind, packages, recipe: [String(RECIPE), readFileSync(INIT, 'utf8')], finish })
  const kernel = readdirSync(join(tree, 'boot')).find((file) => file.startsWith('vmlinuz-')) ?? 'vmlinuz'
  return {
    command: [
      join(tree, 'usr/lib64/ld-linux-x86-64.so.2'),
      ...['--library-path', join(tree, LIBRARIES), join(tree, 'usr/bin/qemu-system-x86_64')],
      ...['-L', join(tree, 'usr/share/qemu'), '-L', join(tree, 'usr/share/seabios')],
    ],
    env: { QEMU_MODULE_DIR: join(tree, LIBRARIES, 'qemu') },
    kernel: join(tree, 'boot', kernel),
    initramfs: join(tree, 'initramfs'),
    modules: join(tree, 'usr/lib/modules'),
  }
}

function finish(root: string): void {
  const [version = ''] = readdirSync(join(root, 'usr/lib/modules'))
  for (const name of NEEDLESS_MODULES)
    rmSync(join(root, 'usr/lib/modules', version, 'kernel', name), { recursive: true, force: true })
  // The newer one's are compressed, and the modprobe of the guests takes them as they are.
  const busybox = join(root, 'usr/bin/busybox')
  runTool('sh', ['-c', `find . -name '*.ko.xz' -exec "$1" unxz {} +`, 'sh', busybox], {
    cwd: join(root, 'usr/lib/modules', version),
  })
  runTool(busybox, ['depmod', '-b', root, version])
  buildInitramfs(root, version)
}

function buildInitramfs(root: string, version: string): void {
  const busybox = join(root, 'usr/bin/busybox')
  const first = join(root, 'first')
  for (const name of ['bin', 'new', 'proc', 'usr/lib']) mkdirSync(join(first, name), { recursive: true })
  symlinkSync('usr/lib', join(first, 'lib'))
  cpSync(busybox, join(first, 'bin/busybox'))
  const kernel = join('usr/lib/modules', version, 'kernel')
  const present = FIRST_MODULES.filter((name) => existsSync(join(root, kernel, name)))
  for (const name of present) cpSync(join(root, kernel, name), join(first, kernel, name), { recursive: true })
  runTool(busybox, ['depmod', '-b', first, version])
  cpSync(INIT, join(first, 'init'))
  chmodSync(join(first, 'init'), 0o755)
  runTool('sh', ['-c', `find . | "$1" cpio -o -H newc > "$2"`, 'sh', busybox, join(root, 'initramfs')], { cwd: first })
  rmSync(first, { recursive: true })
}
