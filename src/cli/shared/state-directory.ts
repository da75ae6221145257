/**
 * The directory under test: the one that was named, which must exist, or else the user's client-state directory, which is
 * created. Locks lie in a subdirectory of it, presence records in the directory itself: so the records are still seen by
 * both sides where only the locks' directory is not what it seems.
 */

import { constants } from 'node:fs'
import { lstat, mkdir, open, realpath, rmdir, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { Lane } from '../../drivers/lane.js'
import { giveMode } from '../../drivers/permissions.js'
import { isMissing, obstacleTo } from '../../drivers/obstacle.js'
import { runCalls } from '../../drivers/run.js'
import { inDirectory } from '../../mounts/directories.js'
import { fileSystemError } from '../../advice/file-system-error.js'
import { fileSystemAt } from '../../drivers/mount-info.js'
import { MountlockError } from '../../errors.js'
import { ask } from '../../protocol/operations.js'
import { asLockError, bounded } from './bounded.js'

/** Where the locks lie, inside the directory under test. */
export const LOCK_DIRECTORY = '.locktester'

/** The named directory is not there: the caller's mistake. */
export class NoSuchDirectoryError extends MountlockError {}

/**
 * The user's client-state directory, as Workbench finds it.
 * @throws MountlockError where there is no home directory to have it in
 */
async function defaultStateDirectory(): Promise<string> {
  const { RSTUDIO_DATA_HOME: own, XDG_DATA_HOME: xdg } = process.env
  if (own) return resolve(own)
  if (xdg && isAbsolute(xdg)) return join(xdg, 'rstudio') // the XDG specification wants relative ones ignored
  return join(await existingHome(), '.local/share/rstudio')
}

/** Nothing is created in its place: a home directory that is not there is one that is not mounted, most likely. */
async function existingHome(): Promise<string> {
  const home = process.env.HOME || homeOfUser()
  if (home === null || home === '') {
    throw noHome('HOME is not set, and the user database has no home directory for this user', undefined)
  }
  if (!isAbsolute(home)) throw noHome('HOME is not an absolute path', home)
  const isDirectory = await bounded(home, stat(home)).then(
    (status) => status.isDirectory(),
    (error: unknown) => {
      if (isMissing(error)) return false
      throw asLockError(error, home)
    },
  )
  if (!isDirectory) throw noHome('The home directory is not there (is it mounted, and is HOME right?)', home)
  return home
}

/** By the user database, whatever HOME says. */
function homeOfUser(): string | null {
  try {
    return userInfo().homedir
  } catch {
    return null // no entry, as in many containers
  }
}

function noHome(what: string, path: string | undefined): MountlockError {
  return new MountlockError(what, { code: 'PARENT_MISSING', path, advice: 'Name the directory to test: locktester DIR.' })
}

const OR_LEAVE_IT_OUT = 'Create it, mount the share, or leave it out for your client-state directory.'

/** What is in the way, where that is why nothing is found there: as a sentence with the way out. */
export async function whyMissing(path: string): Promise<string | null> {
  const obstacle = await bounded(path, runCalls(obstacleTo(path), new Lane())).catch(() => null)
  if (obstacle === null) return null
  return `${obstacle.charAt(0).toUpperCase()}${obstacle.slice(1)}: mount what the path should lead to, or correct it.`
}

/** The named directory's real path. @throws NoSuchDirectoryError */
export async function openNamedDirectory(directory: string, advice = OR_LEAVE_IT_OUT): Promise<string> {
  const path = resolve(directory)
  const status = await bounded(path, stat(path)).catch(async (error: unknown) => {
    if (!isMissing(error)) throw asLockError(error, path)
    throw new NoSuchDirectoryError('There is no such directory', {
      code: 'PARENT_MISSING',
      path: directory,
      advice: (await whyMissing(path)) ?? advice,
    })
  })
  if (!status.isDirectory()) {
    throw new NoSuchDirectoryError('It is not a directory', {
      code: 'PARENT_NOT_DIRECTORY',
      path: directory,
      advice: 'Name a directory on the shared mount.',
    })
  }
  return bounded(path, realpath(path))
}

/**
 * The default directory's real path, created (0700, like its parents) when it is missing. Must be the caller's own.
 * @param noteMade is told what was created, the deepest directory first
 */
export async function openDefaultDirectory(noteMade: (made: readonly string[]) => void = () => {}): Promise<string> {
  const path = await defaultStateDirectory()
  try {
    const making = mkdir(path, { recursive: true, mode: 0o700 })
    // Also when it has taken so long that nothing waits for it any more.
    void making.then(
      (topmost) => noteMade(topmost === undefined ? [] : upTo(topmost, path)),
      () => {},
    )
    const created = await bounded(path, making)
    if (created !== undefined) await bounded(path, makePrivate(path))
    const { uid } = await bounded(path, stat(path))
    const own = process.getuid?.()
    if (own !== undefined && uid !== own) throw notOurs(path, uid, own)
    return await bounded(path, realpath(path))
  } catch (error) {
    throw asLockError(error, path)
  }
}

/** The directory and those around it, to the topmost that is meant. */
function upTo(topmost: string, directory: string): string[] {
  return directory.startsWith(topmost) ? [directory, ...upTo(topmost, dirname(directory))] : []
}

/** Those in which nothing lies. Where one is in use by now, it stays, and so do those around it. */
export async function removeEmpty(directories: readonly string[]): Promise<void> {
  try {
    for (const directory of directories) await rmdir(directory)
  } catch {
    // It is not empty. Whatever else it is, an empty directory does no harm.
  }
}

const refused = (path: string, errno: string, cause?: unknown) =>
  fileSystemError({ action: 'create', path, errno, fileSystem: fileSystemAt(path), cause })

/** Against the umask. A file system that refuses is no obstacle, as long as it is no wider than what is around it. */
async function makePrivate(path: string): Promise<void> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  const made = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    await runCalls(giveMode(made.fd, 0o700, path), new Lane())
  } finally {
    await made.close()
  }
}

/** Creates the locks' directory with the mode of the one around it. @throws LockFileSystemError */
export async function openLockDirectory(directory: string): Promise<string> {
  const path = join(directory, LOCK_DIRECTORY)
  try {
    const { mode } = await bounded(directory, stat(directory))
    const made = await bounded(path, inDirectory(directory, ask.mkdir(path, mode & 0o7777)))
    if (!made.ok && made.code !== 'EEXIST') throw refused(path, made.code, made.error)
    // In a directory that other users may write to, the name may be a symbolic link of another user.
    if (!(await bounded(path, lstat(path))).isDirectory()) throw refused(path, 'ENOTDIR')
    return path
  } catch (error) {
    throw asLockError(error, path)
  }
}

/** Where an earlier run of another user has left the locks' directory: whose it is, and the way out. */
export async function namingOwner(error: unknown, directory: string): Promise<unknown> {
  if (!(error instanceof MountlockError) || error.code !== 'ACCESS_DENIED') return error
  const path = join(directory, LOCK_DIRECTORY)
  const uid = await bounded(path, lstat(path)).then(
    (status) => status.uid,
    () => null,
  )
  const own = process.geteuid?.()
  if (uid === null || own === undefined || uid === own) return error
  return new MountlockError(`Permission denied, and ${LOCK_DIRECTORY} belongs to uid ${uid}, while this is uid ${own}`, {
    code: 'ACCESS_DENIED',
    path: error.path,
    advice: `Run locktester as that user, or, when none runs in this directory, remove ${path}.`,
    cause: error.cause,
  })
}

function notOurs(path: string, uid: number, own: number): MountlockError {
  return new MountlockError(`The client-state directory belongs to uid ${uid}, and this is uid ${own}`, {
    code: 'ACCESS_DENIED',
    path,
    advice: 'Run locktester as its owner (sudo -H -u USER locktester).',
  })
}
