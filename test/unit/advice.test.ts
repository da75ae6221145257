/** The tables of advice: every answer of a file system has a meaning that can help, and every file system is what it is. */

import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { errnoName, withName } from '../../src/advice/errno-names.js'
import { breaksHardLinks, FILE_SYSTEMS, fileSystemOf, UNKNOWN } from '../../src/advice/file-systems.js'
import { fileSystemError } from '../../src/advice/file-system-error.js'
import { type FileSystemAction, type LockMeans, meaningOf, ROWS } from '../../src/advice/meanings.js'

/** What is done for each kind of lock. */
const ACTIONS: Record<LockMeans, readonly FileSystemAction[]> = {
  'hard link': ['hard-link', 'rename', 'release', 'create', 'list', 'read', 'write', 'open', 'remove', 'stat'],
  symlink: ['symlink', 'rename', 'release', 'create', 'list', 'read', 'write', 'open', 'remove', 'stat'],
  rename: ['rename', 'release', 'create', 'list', 'read', 'write', 'open', 'remove', 'stat'],
  flock: ['advisory-lock', 'open', 'create', 'read', 'write', 'remove', 'list', 'stat'],
  fcntl: ['advisory-lock', 'open', 'create', 'read', 'write', 'remove', 'list', 'stat'],
}
/** What would be no help: it is what was refused. */
const IN_USE: Record<LockMeans, RegExp> = {
  'hard link': /lock-type=linkbased|use-symlinks=0/,
  symlink: /lock-type=linkbased|use-symlinks=1/,
  rename: /lock-type=renamebased/,
  flock: /lock-type=advisory|[Uu]se flock/,
  fcntl: /lock-type=advisory|[Uu]se fcntl/,
}
const ERRORS = [...new Set([...Object.keys(constants.errno), ...ROWS.flatMap(({ errors }) => errors), 'EREMOTEIO', 'E999'])]
const PLACES = [null, 'snapshot', 'unknown', ...new Set(FILE_SYSTEMS.map(({ id }) => id))]

function* circumstances() {
  for (const [means, actions] of Object.entries(ACTIONS) as [LockMeans, readonly FileSystemAction[]][])
    for (const action of actions)
      for (const errno of ERRORS) for (const fileSystem of PLACES) yield { means, action, errno, fileSystem }
}

describe('what an error means', () => {
  test('no advice is to use the kind of lock that was refused', () => {
    const wrong = [...circumstances()]
      .filter((each) => IN_USE[each.means].test(meaningOf(each).advice))
      // A symbolic link that is refused may well give way to a hard one.
      .map(({ means, action, errno, fileSystem }) => `${means}, ${action}, ${errno}, ${fileSystem}`)
    expect(wrong).toEqual([])
  })

  test('each error of each operation has a sentence and a next step, in words that a reader knows', () => {
    const inner = /EIO_After|Unknown system error|undefined|null|\bE(CROWDED|REPLACED)\b/
    const wrong = [...circumstances()]
      .map((each) => ({ ...each, ...meaningOf(each) }))
      .filter(({ what, advice }) => !/^[A-Z][^.]*$/.test(what) || !/^[A-Z].{8,}[.)]$/.test(advice) || inner.test(what + advice))
    expect(wrong).toEqual([])
  })

  test('an operation that takes no lock is not told that the file system has none, or does not support that kind', () => {
    const wrong = [...circumstances()].filter(
      (each) =>
        each.action !== 'advisory-lock' && /this kind of lock|lock of this kind|has no lock to give$/.test(meaningOf(each).what),
    )
    expect(wrong).toEqual([])
  })

  test('a link-based lock is not told of flock, nor that a program is being executed', () => {
    const wrong = [...circumstances()].filter(
      (each) =>
        each.means !== 'flock' && each.means !== 'fcntl' && /[Uu]se flock|executed/.test(Object.values(meaningOf(each)).join()),
    )
    expect(wrong).toEqual([])
  })

  test('on an object store no kind of lock is advised', () => {
    const wrong = [...circumstances()].filter(
      (each) =>
        each.fileSystem === 'object-store' && /use-symlinks=|lock-type=(linkbased|renamebased)/.test(meaningOf(each).advice),
    )
    expect(wrong).toEqual([])
  })

  test('on SMB no hard links are advised but with nolease, and no link-based lock but with mfsymlinks', () => {
    const isWrong = (advice: string) =>
      (/use-symlinks=0/.test(advice) && !/nolease/.test(advice)) ||
      (/lock-type=linkbased/.test(advice) && !/mfsymlinks/.test(advice))
    const wrong = [...circumstances()]
      .filter((each) => each.fileSystem === 'smb' || each.fileSystem === 'azure-files-smb')
      .map((each) => ({ ...each, advice: meaningOf(each).advice }))
      .filter(({ advice }) => isWrong(advice))
    expect(wrong).toEqual([])
  })

  test('what was there when it was looked at is not called a missing directory', () => {
    for (const action of ['hard-link', 'symlink', 'rename', 'release', 'remove', 'write', 'advisory-lock'] as const)
      expect(meaningOf({ action, errno: 'ENOENT' }).what).not.toMatch(/directory/)
    for (const action of ['stat', 'create', 'open', 'list'] as const)
      expect(meaningOf({ action, errno: 'ENOENT' }).code).toBe('PARENT_MISSING')
  })

  describe('of a missing permission', () => {
    const denied = (action: FileSystemAction, means: LockMeans | null = null, fileSystem: string | null = 'local-disk') =>
      meaningOf({ action, means, fileSystem, errno: 'EACCES' }).advice

    test('each operation is told what it needs, and on what', () => {
      expect(denied('stat')).toMatch(/search permission on it and on each directory above it \(namei -l/)
      expect(denied('create')).toMatch(/^Something was to be made there, .* write and search permission on the directory/)
      for (const action of ['list', 'hard-link', 'rename', 'release', 'remove'] as const)
        expect(denied(action, 'hard link')).toMatch(/read, write and search permission on the lock/)
      expect(denied('open', 'fcntl')).toMatch(/read the file/)
    })

    test('a directory that is looked at, or in which something is made, is not told of a lock: none is there yet', () => {
      for (const action of ['stat', 'create', 'list', 'read', 'open', 'write', 'remove'] as const)
        expect(denied(action)).not.toMatch(/prune|the lock|setfacl/)
    })

    test('root that is nobody on the server is spoken of on NFS, and not elsewhere', () => {
      for (const { id } of FILE_SYSTEMS)
        expect([id, /root_squash/.test(denied('create', null, id))]).toEqual([
          id,
          ['efs', 'fsx', 'azure-files-nfs', 'nfs3', 'nfs4'].includes(id),
        ])
    })
  })

  test('what a listing calls no directory is told as the file system says it, and not as a file', () => {
    const { code, what } = meaningOf({ action: 'list', means: 'hard link', errno: 'ENOTDIR' })
    expect(code).toBe('PARENT_NOT_DIRECTORY')
    expect(what).toMatch(/this, or a part of its path, is not a directory/)
  })

  test('of what was given back no message says that nothing was locked', () => {
    const wrong = [...circumstances()].filter((each) => each.action === 'release' && /nothing was/.test(meaningOf(each).advice))
    expect(wrong).toEqual([])
  })

  test('an error that the table does not know is named as it was answered', () => {
    expect(meaningOf({ action: 'list', errno: 'EXFULL' })).toMatchObject({
      code: 'FILE_SYSTEM_ERROR',
      what: expect.stringContaining('EXFULL'),
    })
  })

  test('each code has its section in docs/troubleshooting.md', () => {
    const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8')
    const codes = new Set([...ROWS.map(({ code }) => code), 'FILE_SYSTEM_ERROR', 'HARD_LINKS_UNSAFE'])
    expect([...codes].filter((code) => !page.includes(`### ${code}\n`))).toEqual([])
    expect([...codes].filter((code) => !page.includes(`(#${code.toLowerCase()})`))).toEqual([])
  })

  test('no row is hidden by a row before it', () => {
    const covers = (wide: readonly string[] | undefined, narrow: readonly string[] | undefined) =>
      wide === undefined || (narrow?.every((each) => wide.includes(each)) ?? false)
    const hidden = ROWS.filter((row, index) =>
      ROWS.slice(0, index).some(
        (before) =>
          row.errors.every((errno) => before.errors.includes(errno)) &&
          covers(before.actions, row.actions) &&
          covers(before.means, row.means) &&
          covers(before.fileSystems, row.fileSystems),
      ),
    )
    expect(hidden).toEqual([])
  })

  test.each([
    [{ action: 'hard-link', means: 'hard link', errno: 'ENOLCK' }, 'NO_LOCK_SERVICE', /system log/],
    [{ action: 'advisory-lock', means: 'flock', errno: 'ENOLCK', fileSystem: 'nfs3' }, 'NO_LOCK_SERVICE', /rpc\.statd/],
    [{ action: 'advisory-lock', means: 'flock', errno: 'ENOSYS', fileSystem: 'lustre' }, 'NOT_SUPPORTED', /option flock/],
    [{ action: 'advisory-lock', means: 'flock', errno: 'EDQUOT', fileSystem: 'efs' }, 'QUOTA_EXCEEDED', /8,192/],
    [{ action: 'advisory-lock', means: 'flock', errno: 'ETXTBSY' }, 'BEING_EXECUTED', /another file/],
    [{ action: 'advisory-lock', means: 'fcntl', errno: 'ETXTBSY' }, 'BEING_EXECUTED', /Use flock/],
    [{ action: 'hard-link', means: 'hard link', errno: 'EPERM', fileSystem: 'smb' }, 'HARD_LINKS_REFUSED', /mfsymlinks/],
    [{ action: 'symlink', means: 'symlink', errno: 'EPERM' }, 'SYMLINKS_REFUSED', /use-symlinks=0/],
    [{ action: 'rename', means: 'rename', errno: 'EXDEV', fileSystem: 'mergerfs' }, 'CROSS_DEVICE', /one branch/],
    [{ action: 'write', means: 'hard link', errno: 'ENOTCONN', fileSystem: 'sshfs' }, 'SERVER_UNREACHABLE', /FUSE/],
    [{ action: 'create', means: null, errno: 'EROFS', fileSystem: 'snapshot' }, 'READ_ONLY', /\.snapshot/],
  ] as const)('%j is %s', (each, code, advice) => {
    const meaning = meaningOf(each)
    expect(meaning.code).toBe(code)
    expect(meaning.advice).toMatch(advice)
  })
})

describe('the names of errors', () => {
  test('Linux has names for what Node calls "Unknown system error"', () => {
    expect(errnoName(-121)).toBe('EREMOTEIO')
    expect(errnoName(-37)).toBe('ENOLCK')
    expect(errnoName(-116)).toBe('ESTALE')
    expect(errnoName(524)).toBe('ENOTSUPP')
    expect(errnoName(-999)).toBe('E999')
  })

  test('a system error without a name gets it, in its code and its message', () => {
    const message = "Unknown system error -121: Unknown system error -121, link 'a' -> 'b'"
    const error = Object.assign(new Error(message), { code: 'Unknown system error -121', errno: -121, syscall: 'link' })
    expect(withName(error)).toMatchObject({ code: 'EREMOTEIO', message: "EREMOTEIO, link 'a' -> 'b'" })
    const failure = fileSystemError({
      action: 'hard-link',
      path: '/shared/lock',
      errno: 'EREMOTEIO',
      fileSystem: null,
      cause: error,
    })
    expect(failure.message).toContain('/shared/lock (link: EREMOTEIO)')
  })

  test('an error that came without the system error names the operation', () => {
    const failure = { path: '/x', fileSystem: null }
    expect(fileSystemError({ ...failure, action: 'hard-link', errno: 'EMLINK' }).message).toContain('(link: EMLINK)')
    const ofLock = fileSystemError({ ...failure, action: 'advisory-lock', errno: 'ENOLCK', means: 'fcntl' })
    expect(ofLock.message).toContain('(fcntl: ENOLCK)')
  })
})

describe('what a mount is', () => {
  const mounted = (type: string, source = 'none', ...options: string[]) => fileSystemOf({ type, source, options })

  test.each([
    ['efs', 'nfs4', 'fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/'],
    ['fsx', 'nfs4', 'svm-0123.fs-0123.fsx.eu-west-1.amazonaws.com:/vol1'],
    ['azure-files-nfs', 'nfs4', 'account.file.core.windows.net:/account/share'],
    ['azure-files-smb', 'cifs', '//account.file.core.windows.net/share'],
    ['nfs3', 'nfs', 'server:/export', 'vers=3'],
    ['nfs4', 'nfs4', 'server:/export', 'vers=4.2'],
    ['nfs4', 'nfs4', '127.0.0.1:/'],
    ['smb', 'smb3', '//server/share'],
    ['cephfs', 'ceph', '10.0.0.1:6789:/'],
    ['cephfs', 'fuse.ceph-fuse', 'ceph-fuse'],
    ['glusterfs', 'fuse.glusterfs', 'server:/volume'],
    ['moosefs', 'fuse', 'mfs#mfsmaster:9421'],
    ['moosefs', 'fuse.mfs', 'mfsmaster:9421'],
    ['lustre', 'lustre', '10.0.0.7@tcp:/abcd'],
    ['gpfs', 'gpfs', 'scratch'],
    ['beegfs', 'beegfs', 'beegfs_nodev'],
    ['weka', 'wekafs', 'default'],
    ['vm-folder', 'vboxsf', 'home'],
    ['9p', '9p', 'share'],
    ['virtiofs', 'virtiofs', 'share'],
    ['juicefs', 'fuse.juicefs', 'JuiceFS:home'],
    ['object-store', 'fuse.s3fs', 's3fs'],
    ['object-store', 'fuse.gcsfuse', 'bucket'],
    ['sshfs', 'fuse.sshfs', 'server:/home'],
    ['bindfs', 'fuse', '/srv/home'],
    ['bindfs', 'fuse.bindfs', 'anything'],
    // What names nothing is called by its device.
    ['fuse', 'fuse', '/dev/fuse'],
    ['moosefs', 'fuse.mfs', 'anything'],
    ['moosefs', 'moosefs', 'mfsmaster'],
    ['juicefs', 'fuse', 'JuiceFS:home'],
    ['object-store', 'fuse', 'mountpoint-s3'],
    ['object-store', 'fuse', 'blobfuse2'],
    ['object-store', 'fuse.blobfuse2', 'blobfuse2'],
    ['object-store', 'fuse.goofys', 'bucket'],
    ['object-store', 'fuse.rclone', 'remote:bucket'],
    ['sshfs', 'fuse', 'sshfs#server:/home'],
    ['beegfs', 'beegfs_nodev', 'beegfs_nodev'],
    ['weka', 'wekafs', 'backend/default'],
    ['cluster-disk', 'gfs2', '/dev/vg/shared'],
    ['cluster-disk', 'ocfs2', '/dev/sdb'],
    ['other-shared', 'panfs', 'panfs://realm/volume'],
    ['other-shared', 'pvfs2', 'tcp://server:3334/orangefs'],
    ['other-shared', 'afs', 'AFS'],
    ['other-shared', 'coda', 'Coda'],
    ['other-shared', 'orangefs', 'tcp://server:3334/orangefs'],
    ['other-shared', 'fuse', 'https://server.example/dav'],
    ['other-shared', 'fuse.davfs2', 'https://server.example/dav'],
    ['cephfs', 'fuse', 'ceph-fuse'],
    ['weka', 'weka', 'backend/default'],
    ['object-store', 'fuse.mountpoint-s3', 'mountpoint-s3'],
    ['juicefs', 'fuse.juicefs', 'anything'],
    ['overlay', 'fuse.fuse-overlayfs', 'fuse-overlayfs'],
    ['other-shared', 'ncpfs', 'SERVER/ann'],
    ['smb', 'smb3', '//server/share'],
    // Below each of these may be a share.
    ['fuse', 'fuse.gocryptfs', '/srv/home'],
    ['fuse', 'fuse.encfs', 'encfs'],
    ['fuse', 'fuse.unionfs', 'unionfs'],
    ['fuse', 'fuse.unionfs-fuse', 'unionfs-fuse'],
    ['unknown', 'ecryptfs', '/home/.ecryptfs/ann/.Private'],
    ['overlay', 'aufs', 'none'],
    ['local-disk', 'vfat', 'vfat'],
    ['local-disk', 'exfat', 'exfat'],
    ['local-disk', 'fuseblk', 'fuseblk'],
    ['local-disk', 'zfs', 'zfs'],
    ['local-disk', 'btrfs', 'btrfs'],
    ['local-disk', 'xfs', 'xfs'],
    ['local-disk', 'tmpfs', 'tmpfs'],
    ['local-disk', 'ramfs', 'ramfs'],
    ['mergerfs', 'fuse.mergerfs', 'a:b'],
    ['fuse', 'fuse', 'something'],
    ['fuse', 'fuse.something', 'something'],
    ['overlay', 'overlay', 'overlay'],
    ['local-disk', 'ext4', '/dev/sda1'],
    ['unknown', 'newfs', 'server:/x'],
  ])('%s: %s of %s', (id, type, source, ...options) => {
    expect(mounted(type, source, ...options).id).toBe(id)
  })

  test('what is not known is not called well, and has no source', () => {
    for (const type of [
      'newfs',
      'fuse.something',
      'fuse.unionfs',
      'ecryptfs',
      'gpfs',
      'weka',
      'vboxsf',
      'afs',
      'davfs',
      'orangefs',
    ]) {
      const { links, advisory, caches } = mounted(type)
      expect([links, advisory, caches]).toEqual([UNKNOWN, UNKNOWN, UNKNOWN])
    }
    for (const { links, advisory, caches, source } of FILE_SYSTEMS) {
      expect([links, advisory, caches, source]).not.toContain('ok')
      expect(source).not.toBe('')
    }
  })

  test('hard links break on SMB, unless the mount has no leases', () => {
    const smb = (...options: string[]) => breaksHardLinks({ type: 'cifs', source: '//server/share', options })
    expect(smb('vers=3.1.1')).toBe(true)
    expect(smb('vers=3.1.1', 'nolease')).toBe(false)
    expect(breaksHardLinks({ type: 'nfs4', source: 'server:/export', options: [] })).toBe(false)
  })
})
