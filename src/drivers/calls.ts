/**
 * Every system call that the protocol leads to, by name: the one table that touches the file system for it. A file
 * operation is written once, as a sequence of these calls, and performed by the blocking runner or the asynchronous one.
 */

import * as fs from 'node:fs'
import { getAcl, getAclSync, setAcl, setAclSync } from './acl.js'

export const blockingCalls = {
  open: fs.openSync,
  close: fs.closeSync,
  read: fs.readSync,
  write: fs.writeSync,
  fstat: fs.fstatSync,
  fchmod: fs.fchmodSync,
  fchown: fs.fchownSync,
  getAcl: getAclSync,
  setAcl: setAclSync,
  fsync: fs.fsyncSync,
  ftruncate: fs.ftruncateSync,
  futimes: fs.futimesSync,
  lstat: fs.lstatSync,
  // The one of the system: the other one is JavaScript, and needs `process.nextTick`, which a test may have faked.
  realpath: fs.realpathSync.native,
  readdir: fs.readdirSync,
  link: fs.linkSync,
  symlink: fs.symlinkSync,
  readlink: fs.readlinkSync,
  rename: fs.renameSync,
  unlink: fs.unlinkSync,
  mkdir: fs.mkdirSync,
  rmdir: fs.rmdirSync,
} as const

export type CallName = keyof typeof blockingCalls

/** The same calls, with a callback as their last argument. */
export const asynchronousCalls: Record<CallName, unknown> = {
  open: fs.open,
  close: fs.close,
  read: fs.read,
  write: fs.write,
  fstat: fs.fstat,
  fchmod: fs.fchmod,
  fchown: fs.fchown,
  getAcl,
  setAcl,
  fsync: fs.fsync,
  ftruncate: fs.ftruncate,
  futimes: fs.futimes,
  lstat: fs.lstat,
  realpath: fs.realpath.native,
  readdir: fs.readdir,
  link: fs.link,
  symlink: fs.symlink,
  readlink: fs.readlink,
  rename: fs.rename,
  unlink: fs.unlink,
  mkdir: fs.mkdir,
  rmdir: fs.rmdir,
}

export type Call = readonly [name: CallName, ...args: unknown[]]

/** A sequence of calls. Failures are thrown into it, so that it can close what it opened. */
export type Calls<Result> = Generator<Call, Result, unknown>
