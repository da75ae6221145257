/** What a failure proves. One list, so that no two places disagree about what is in doubt. */

/**
 * The failures that prove that nothing was done: the request was checked and refused. Every other one is in doubt. The
 * reply to something that was done can be lost, and then the error is whatever the client makes of it (`ECONNABORTED` of a
 * FUSE daemon, `EAGAIN` after a reconnect of SMB, `ETIMEDOUT` of a soft mount), or what the repetition is told (`EEXIST`,
 * `ENOENT`). `ENOTSUP` is what Node calls `EOPNOTSUPP`.
 */
const PROOFS = new Set([
  'EPERM',
  'EACCES',
  'EROFS',
  'ENAMETOOLONG',
  'ENOTDIR',
  'EXDEV',
  'EMLINK',
  'ELOOP',
  'ENOSYS',
  'EOPNOTSUPP',
  'ENOTSUP',
  'ENOSPC',
  'EDQUOT',
])

export const provesNothingDone = (code: string) => PROOFS.has(code)

/**
 * It may have been done, or may still be. SFTP has one word, `EPERM`, for all that fails: on what may be such a share
 * it proves nothing.
 */
export function isInDoubt(code: string, { coherent }: { readonly coherent: boolean }): boolean {
  return !provesNothingDone(code) || (code === 'EPERM' && !coherent)
}

/** There is no lock directory: nothing is there, or the file of an advisory lock (its type was changed). */
export const isAbsent = (code: string) => code === 'ENOENT' || code === 'ENOTDIR'
