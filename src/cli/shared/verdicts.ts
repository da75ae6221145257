/**
 * What `doctor`, `nodes` and the test can come to, in the words that they print and programs read: the compiler takes its types
 * from these lists, and docs/file-systems.md says of each what to do now. Errors have a list of their own: `ErrorCode`.
 */

import type { ErrorCode } from '../../errors.js'

/** Of `doctor`: there is nothing to do about these. */
export type FineCode = 'ADVISORY_CALLS' | 'CONFIGURATION' | 'FILE_SYSTEM' | 'IDENTITY' | 'KNOWN'

/** Of `doctor`: these may be well, too. */
// prettier-ignore
export const TROUBLE_CODES = [
  'ADVISORY_LOCAL', 'ATTRIBUTE_CACHE', 'AUTOMOUNT', 'BEEGFS', 'CEPHFS_SESSIONS', 'CLOCK_OFFSET', 'CONFIGURED_LOCK_TYPE', 'CONTAINER',
  'DISK_CACHE', 'EMULATED_SYMLINKS', 'EXCLUSIVE_CREATE', 'FCNTL_LOCAL', 'FLOCK_LOCAL', 'FUSE', 'HARD_LINK', 'HEARTBEAT', 'HOST_NAME',
  'LINK_COUNT', 'LIST', 'LOCAL_DISK', 'LOOKUP_CACHE', 'LOOSE_CACHE', 'MKDIR', 'MOOSEFS', 'NFS_V3', 'NO_ATTRIBUTE_CACHE', 'NO_BOOT_ID',
  'NO_CLOSE_TO_OPEN', 'NO_MOUNT_TABLE', 'OBJECT_STORE', 'OVERLAY', 'OWNER', 'READ', 'READ_ONLY', 'RENAME', 'SLOW', 'SMB', 'SMB_LEASES',
  'SOFT_MOUNT', 'SPACE', 'SSHFS', 'STAT', 'SYMLINK', 'TIME_STAMPS', 'UNKNOWN', 'UNLINK', 'VIRTIOFS',
] as const
/** `CONFIG_…`: of the configuration, `LOCK_…`: of a kind of lock. An error says why nothing could be examined. */
export type TroubleCode = (typeof TROUBLE_CODES)[number] | `CONFIG_${string}` | `LOCK_${string}` | ErrorCode

/** Of `nodes`: what a node showed of a kind of lock, where it did not pass. Errors show by their code. */
export const CELL_TEXTS = {
  unsafe: 'UNSAFE',
  gone: 'GONE',
  slow: 'too slow',
  lost: 'lost',
  notHandedOver: 'no hand-over',
  notTakenOver: 'no takeover',
} as const

/** Of `nodes`: why it has nothing to install. */
export const RESULTS = [
  'one-machine', // a kind passed, but no more than one machine took part
  'local-disk', // a kind passed, but no other node can see the directory
  'unsafe', // none passed: two held one at the same time
  'failed', // none passed: something ended with an error, or was not had in time though all answered
  'unclear', // none passed: a node was too slow to tell, or went away
] as const
/** `excludes`: a kind of lock passed, between machines. */
export type Result = 'excludes' | (typeof RESULTS)[number]

/** Of the test: what does not show that locks can be trusted. */
export const VERDICTS = [
  'one-machine', // held by processes of this very machine: nothing is proved about others
  'local-disk', // held, in a directory that other nodes cannot see
  'holder-unknown', // held by what is no running locktester: where it is, and whether it lives, is not known
  'failed', // at least one failed with an error
  'unsafe', // at least one is held twice
] as const
/** Of the locks that could be tried. `acquired`: all of them; `excluded`: another process holds at least one, and none failed. */
export type Verdict = 'acquired' | 'excluded' | (typeof VERDICTS)[number]

/** Of the test and of `nodes`, beside their verdict. */
// prettier-ignore
export const WARNING_CODES = [
  'ADVISORY_UNTOLD', 'EVERY_NODE_ACQUIRED', 'FRESH_FILE', 'HOLDER_UNKNOWN', 'LINK_BASED_UNTOLD', 'LOCAL_DISK', 'NO_LOAD_BALANCER',
  'NO_PRESENCE', 'NOT_RELEASED', 'NOT_TRIED', 'ONE_MACHINE', 'OTHER_USER',
] as const
export type WarningCode = (typeof WARNING_CODES)[number]
