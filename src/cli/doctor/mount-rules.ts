/**
 * What mount options mean for locks: a table, and no I/O, so it answers for a dead mount too. What is known of each file system
 * stands in `advice/file-systems.ts`. Sources: nfs(5), mount.cifs(8), fuse(8), mount.lustre(8), virtiofsd(1).
 */

import { breaksHardLinks, type FileSystem, fileSystemOf, remedyForHardLinks, UNKNOWN } from '../../advice/file-systems.js'
import { printable } from '../../log/printable.js'
import { fileSystemText, type MountProfile } from '../shared/mounts.js'
import type { TroubleCode } from '../shared/verdicts.js'
import { type Finding, fine, trouble } from './finding.js'

/** Which advisory locks other nodes do not see, by the options alone. */
export interface LocalLocks {
  flock: boolean
  fcntl: boolean
}

type Kind = 'flock' | 'fcntl'

type Rule = readonly [
  /** What it is about: types of the mount table, or an `id` in the table of file systems. */
  about: RegExp | string,
  /** The option, or `null`: the type alone says it. */
  option: RegExp | null,
  severity: 'note' | 'warning' | 'error',
  code: TroubleCode,
  breaks: string,
  remedy: string | null,
  /** The kinds of lock that other nodes do not see. */
  local?: readonly Kind[],
]

const NFS = /^nfs4?$/
const SMB = /^(cifs|smb3|smbfs)$/

const BOTH = ['flock', 'fcntl'] as const
const LINKS_INSTEAD = 'Use lock-type=linkbased, or mount without this option on every node.'
const PROVE = 'Prove it with `locktester nodes`.'

type MountPattern = readonly [about: RegExp | string, option: RegExp]

/** An option by which locks stay on this node. */
function localRule([about, option]: MountPattern, code: TroubleCode, local: readonly Kind[], remedy = LINKS_INSTEAD): Rule {
  const breaks = `${local.join(' and ')} locks stay on this node: other nodes do not see them, so two nodes can hold the same lock.`
  return [about, option, 'error', code, breaks, remedy, local]
}

const RULES: readonly Rule[] = [
  [/./, /^ro$/, 'error', 'READ_ONLY', 'Nothing can be locked: every kind of lock writes.', 'Mount it read-write.'],
  localRule([NFS, /^(nolock|local_lock=all)$/], 'ADVISORY_LOCAL', BOTH),
  localRule([NFS, /^local_lock=flock$/], 'FLOCK_LOCAL', ['flock']),
  localRule([NFS, /^local_lock=posix$/], 'FCNTL_LOCAL', ['fcntl']),
  [
    NFS,
    /^(nfs)?vers=[23](\.|$)/,
    'note',
    'NFS_V3',
    'Advisory locks need rpc.statd on both sides, and a node that died keeps its locks until it boots again.',
    'For lock-type=advisory prefer vers=4.1 or later.',
  ],
  [
    NFS,
    /^soft(err|reval)?$/,
    'warning',
    'SOFT_MOUNT',
    'When the server is slow, operations fail instead of waiting: heartbeats fail and locks are given up, and writes of other programs can be lost.',
    'Mount with hard, or raise timeo and retrans.',
  ],
  [
    NFS,
    /^nocto$/,
    'warning',
    'NO_CLOSE_TO_OPEN',
    'Contents may be as old as acregmax: a dead holder is taken over that much later, and data under a lock may be stale.',
    'Mount without nocto.',
  ],
  [
    NFS,
    /^(noac|actimeo=0)$/,
    'note',
    'NO_ATTRIBUTE_CACHE',
    'Every look at a file asks the server; locks are none the safer for it.',
    'Mount without it, unless other programs need it.',
  ],
  [
    NFS,
    /^lookupcache=(pos|positive|none)$/,
    'note',
    'LOOKUP_CACHE',
    'Names are asked for more often; locks do not need it.',
    null,
  ],
  [
    NFS,
    /^fsc$/,
    'warning',
    'DISK_CACHE',
    'File contents are kept in a local cache: check that what locks protect can live with it.',
    'Mount without fsc.',
  ],
  localRule([SMB, /^(nobrl|nolock)$/], 'ADVISORY_LOCAL', BOTH),
  [
    SMB,
    /^cache=loose$/,
    'warning',
    'LOOSE_CACHE',
    'Contents may be older than on other nodes: their heartbeats may seem to stand still.',
    'Mount with cache=strict.',
  ],
  [
    SMB,
    /^mfsymlinks$/,
    'note',
    'EMULATED_SYMLINKS',
    'Symbolic links are ordinary files here, written in more than one step.',
    'Prefer use-symlinks=0 where hard links work.',
  ],
  [
    SMB,
    null,
    'note',
    'SMB',
    'Hard links depend on the server, and advisory locks become mandatory ones that block reading.',
    PROVE,
  ],
  [
    'object-store',
    null,
    'error',
    'OBJECT_STORE',
    'An object store has no hard links, atomic rename or exclusive create: no lock on it excludes other nodes.',
    'Put locks on NFS.',
    BOTH,
  ],
  [
    'sshfs',
    null,
    'warning',
    'SSHFS',
    'flock and fcntl locks stay on this node, and names and attributes are cached.',
    'Use it for single nodes only, or use NFS.',
    BOTH,
  ],
  [
    'bindfs',
    null,
    'warning',
    'FUSE',
    'It shows a directory again: whether locks reach other nodes depends on what is below, and owners and modes may be forced.',
    PROVE,
  ],
  [
    'mergerfs',
    null,
    'warning',
    'FUSE',
    'It shows several directories as one: whether locks reach other nodes depends on what is below.',
    'Lock in a directory that lies on one branch, and prove it with `locktester nodes`.',
  ],
  [
    'moosefs',
    null,
    'note',
    'MOOSEFS',
    'With mfsnobsdlocks or mfsnoposixlocks, which the mount table does not show, flock or fcntl locks stay on this node.',
    PROVE,
  ],
  [
    'beegfs',
    null,
    'warning',
    'BEEGFS',
    'Unless beegfs-client.conf says tuneUseGlobalFileLocks=true, which the mount table does not show, flock and fcntl locks stay on this node.',
    'Set it on every node, or use lock-type=linkbased; prove it with `locktester nodes`.',
  ],
  ['fuse', null, 'warning', 'FUSE', 'Whether locks reach other nodes depends on the program behind it.', PROVE],
  [
    'overlay',
    null,
    'warning',
    'OVERLAY',
    'This is probably the own layer of a container: processes outside do not see it, and it ends with the container.',
    'Put locks on a volume of the shared file system.',
  ],
  localRule([/^lustre$/, /^localflock$/], 'ADVISORY_LOCAL', BOTH, 'Mount with flock on every node, or use lock-type=linkbased.'),
  localRule([/^(gfs2|ocfs2)$/, /^localflocks$/], 'ADVISORY_LOCAL', BOTH),
  [
    /^virtiofs$/,
    null,
    'note',
    'VIRTIOFS',
    'Unless virtiofsd passes them on, flock and fcntl locks stay inside this virtual machine.',
    PROVE,
  ],
  [/^autofs$/, null, 'note', 'AUTOMOUNT', 'Nothing is mounted here yet: the first use mounts it.', 'Name a directory inside.'],
]

export function mountFindings(mount: MountProfile | null): Finding[] {
  if (mount === null) {
    return [
      trouble('note', 'NO_MOUNT_TABLE', {
        seen: 'There is no mount table here',
        breaks: 'The options of the mount are unknown.',
      }),
    ]
  }
  const { type, reach } = mount
  const findings = [fine('FILE_SYSTEM', fileSystemText(mount)), ...knownFindings(fileSystemOf(mount))]
  if (reach === 'local' && !matches(mount).some(([[, , , code]]) => code === 'OVERLAY')) {
    const remedy = 'Name a directory on the shared mount; if this should be one, it is not mounted.'
    findings.push(
      trouble('warning', 'LOCAL_DISK', {
        seen: `${type} is a local file system`,
        breaks: 'Other nodes cannot see it: locks here exclude this node only.',
        remedy,
      }),
    )
  }
  return [
    ...findings,
    ...matches(mount).map(([[, , severity, code, breaks, remedy], seen]) => trouble(severity, code, { seen, breaks, remedy })),
    ...leaseFindings(mount),
    ...cacheFindings(mount),
  ]
}

/** What its documentation says, and what no page says of it. */
function knownFindings({ id, title, reach, links, advisory, caches, source }: FileSystem): Finding[] {
  if (reach === 'local') return []
  const facts = [`links: ${links}`, `advisory locks: ${advisory}`, `caches: ${caches}`]
  const known = facts.filter((fact) => !fact.includes(UNKNOWN))
  const findings: Finding[] = []
  if (known.length > 0) findings.push(fine('KNOWN', `${title}: ${known.join('; ')} (${source})`))
  // The rule for FUSE says so as well.
  if (known.length < facts.length && id !== 'fuse') {
    const unknown = facts.filter((fact) => !known.includes(fact))
    findings.push(
      trouble('note', 'UNKNOWN', {
        seen: `${title}: ${unknown.join('; ')}`,
        breaks: 'Nothing is promised of what is not known.',
        remedy: PROVE,
      }),
    )
  }
  return findings
}

function leaseFindings(mount: MountProfile): Finding[] {
  if (!breaksHardLinks(mount)) return []
  return [
    trouble('error', 'SMB_LEASES', {
      seen: 'Mounted without the option nolease',
      breaks: 'Waiters of a node break the lock of a holder on it: locks by hard links are refused here.',
      remedy: `${remedyForHardLinks(fileSystemOf(mount).id)}.`,
    }),
  ]
}

/** The mds's default session_timeout. With Ceph 16.2 and an interval of 4 s a takeover from a dead node took 65 s. */
const CEPH_SESSION_MS = 60_000

/** The server keeps for a dead node what that has cached: meanwhile the heartbeats of others wait. */
export function sessionFindings(mount: MountProfile | null, timeoutIntervalMs: number): Finding[] {
  if (mount === null || fileSystemOf(mount).id !== 'cephfs' || timeoutIntervalMs > CEPH_SESSION_MS) return []
  return [
    trouble('warning', 'CEPHFS_SESSIONS', {
      seen: `timeout-interval is ${timeoutIntervalMs / 1000} s on CephFS, whose mds waits for a silent node for session_timeout, by default ${CEPH_SESSION_MS / 1000} s`,
      breaks:
        'A node that dies after it looked at a lock may make its live holder lose it, and a takeover may take that much longer.',
      remedy:
        'Set timeout-interval above session_timeout, which `ceph fs get` shows, on every node: for example timeout-interval=90.',
    }),
  ]
}

/** By the options alone; what the mount really does only another node can tell. */
export function localLocks(mount: MountProfile | null): LocalLocks {
  const kinds = mount === null ? [] : matches(mount).flatMap(([[, , , , , , local = []]]) => local)
  return { flock: kinds.includes('flock'), fcntl: kinds.includes('fcntl') }
}

function matches(mount: MountProfile): [Rule, seen: string][] {
  const { type, options } = mount
  const { id } = fileSystemOf(mount)
  const isAbout = (about: Rule[0]) => (typeof about === 'string' ? about === id : about.test(type))
  return RULES.filter(([about]) => isAbout(about)).flatMap((rule): [Rule, string][] => {
    const [, wanted] = rule
    if (wanted === null) return [[rule, `File system type ${printable(type)}`]]
    const option = options.find((each) => wanted.test(each))
    return option === undefined ? [] : [[rule, `Mount option ${printable(option)}`]]
  })
}

/** The defaults of nfs(5), in seconds. */
const NFS_CACHE = { acregmin: 3, acregmax: 60, acdirmin: 30, acdirmax: 60 }

/** How old the attributes of files and directories of others may be, at most. */
function cacheFindings({ type, options }: MountProfile): Finding[] {
  if (!NFS.test(type) || options.includes('noac') || options.includes('actimeo=0')) return []
  const secondsOf = (name: keyof typeof NFS_CACHE) => {
    const given = options.find((option) => option.startsWith(`${name}=`) || option.startsWith('actimeo='))
    return given === undefined ? NFS_CACHE[name] : Number(given.slice(given.indexOf('=') + 1))
  }
  const seen = `Attributes are cached: of files for ${secondsOf('acregmin')} to ${secondsOf('acregmax')} s, of directories for ${secondsOf('acdirmin')} to ${secondsOf('acdirmax')} s`
  const means = 'Changes of other nodes may be seen that much later. Our locks ask the server; other programs do not.'
  return [trouble('note', 'ATTRIBUTE_CACHE', { seen, breaks: means })]
}
