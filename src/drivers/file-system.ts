/** What kind of file system a directory is on, and what that means for how far it can be believed. */

import { type Stats, type StatsFs, stat, statfs, statfsSync, statSync } from 'node:fs'
import { breaksFlock, breaksHardLinks, fileSystemOf } from '../advice/file-systems.js'
import { type Ground, groundOf } from './ground.js'
import type { Lane } from './lane.js'
import { type MountInfo, mountsOfDevice } from './mount-info.js'
import { runCalls, runCallsBlocking } from './run.js'

export interface DirectoryFacts {
  dev: number
  ino: number
  /** Permission bits, with those that pass the group on and keep others from removing: what is made there gets the same. */
  mode: number
  /** Only this machine can change it, so nothing that it shows is stale. */
  coherent: boolean
  /** This machine's clock stamps what changes, and `stat` tells the device that the kernel's own tables tell. */
  plainLocal: boolean
  /** It has no device and no server that a call could have to wait for. */
  inMemory: boolean
  /** `rename` acts on the name, at the server: of two callers one succeeds. Elsewhere it may act on an open file. */
  renamesNames: boolean
  /** How long an opened file may show old contents, in milliseconds. */
  staleOpenMs: number
  /**
   * Its server gives the advisory locks of a client that was silent for too long to others, and their holder is not
   * told (NFSv4).
   */
  leasesLocks: boolean
  /** `flock` and `fcntl` are one lock there: a process that has one is refused the other. `null`: its type does not tell. */
  locksAreOne: boolean | null
  /** Its `id` in the table of file systems; `null` where the mount is not known. */
  fileSystem: string | null
  /** A session file that other names lead to cannot be kept alive there (SMB with leases). */
  breaksHardLinks: boolean
  /** Another process of the holder's node ends a flock on the server, and the holder is not told (SMB); fcntl excludes. */
  breaksFlock: boolean
  /** There other users could swap what is worked in, so that work needs a footing; `null`: they could not. */
  ground: Ground | null
  /** The file system in words, the same before and after a remount: "nfs4 server:/export". */
  identity: string
}

/**
 * Magic numbers of statfs(2) for file systems that live on this machine: ext2/3/4, xfs, btrfs, tmpfs, ramfs, overlay,
 * zfs, f2fs. All others may be shared.
 */
const LOCAL_TYPES = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x858458f6, 0x794c7630, 0x2fc12fc1, 0xf2f52010])

/** tmpfs, ramfs. */
const MEMORY_TYPES = new Set([0x01021994, 0x858458f6])

/** NFS, ext2/3/4, xfs, btrfs, tmpfs. */
const RENAMING_TYPES = new Set([0x6969, 0xef53, 0x58465342, 0x9123683e, 0x01021994])

/** ext2/3/4, xfs, tmpfs, f2fs. Not btrfs and overlayfs: there `stat` tells another device than the kernel's own tables. */
const PLAIN_LOCAL_TYPES = new Set([0xef53, 0x58465342, 0x01021994, 0xf2f52010])

/** cifs, as `cifs` and as `smb3`. */
const SMB_TYPES = [0xff534d42, 0xfe534d42]

/** NFS; SMB: their clients make the same request of both calls. */
const ONE_LOCK_TYPES = new Set([0x6969, ...SMB_TYPES])

/** One machine's own file system, of which `/proc/locks` and the clock of this machine tell the whole truth. */
export function isPlainLocal(statfsType: number): boolean {
  return PLAIN_LOCAL_TYPES.has(statfsType)
}

export function directoryFactsSync(path: string): DirectoryFacts {
  return facts(path, statSync(path), statfsSync(path), runCallsBlocking(groundOf(path)))
}

export async function directoryFacts(path: string, lane: Lane): Promise<DirectoryFacts> {
  const status = await lane.run<Stats>((done) => stat(path, done))
  const fileSystem = await lane.run<StatsFs>((done) => statfs(path, done))
  return facts(path, status, fileSystem, await runCalls(groundOf(path), lane))
}

function facts(path: string, status: Stats, { type }: StatsFs, ground: Ground | null): DirectoryFacts {
  if (!status.isDirectory()) throw Object.assign(new Error(`ENOTDIR: ${path}`), { code: 'ENOTDIR', syscall: 'stat' })
  const mount = mountsOfDevice(status.dev).at(-1)
  return {
    dev: status.dev,
    ino: status.ino,
    mode: status.mode & 0o3777,
    coherent: LOCAL_TYPES.has(type),
    plainLocal: isPlainLocal(type),
    inMemory: MEMORY_TYPES.has(type),
    renamesNames: RENAMING_TYPES.has(type),
    staleOpenMs: mount === undefined ? 0 : staleOpenMs(mount),
    leasesLocks: mount?.type === 'nfs4',
    locksAreOne: areLocksOne(type, mount),
    fileSystem: mount === undefined ? null : fileSystemOf(mount).id,
    breaksHardLinks: mount !== undefined && breaksHardLinks(mount),
    breaksFlock: (SMB_TYPES.includes(type) || (mount !== undefined && breaksFlock(mount))) && !keepsLocksLocal(mount),
    ground,
    identity: mount === undefined ? `device ${status.dev}` : `${mount.type} ${mount.source}`,
  }
}

/** What is shared, and not in the table here, may do either: GlusterFS makes one lock of both, CephFS does not. */
function areLocksOne(type: number, mount: MountInfo | undefined): boolean | null {
  if (ONE_LOCK_TYPES.has(type)) return !keepsLocksLocal(mount)
  const isLocal = mount === undefined ? LOCAL_TYPES.has(type) : fileSystemOf(mount).reach === 'local'
  return isLocal ? false : null
}

/** By its options one of the two calls, or both, stay on this machine (nfs(5), mount.cifs(8)): then they are two locks. */
function keepsLocksLocal(mount: MountInfo | undefined): boolean {
  return mount?.options.some((option) => /^(local_lock=(?!none)|nobrl|nolock$)/.test(option)) ?? false
}

const ACREGMAX_DEFAULT_S = 60

/** `nocto` takes the meaning out of `open`: the attribute cache decides (nfs(5)). */
function staleOpenMs({ options }: MountInfo): number {
  if (!options.includes('nocto')) return 0
  const acregmax = options.find((option) => option.startsWith('acregmax='))
  return 1000 * (acregmax === undefined ? ACREGMAX_DEFAULT_S : Number(acregmax.slice('acregmax='.length)) || ACREGMAX_DEFAULT_S)
}
