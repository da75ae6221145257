/** A file system of one directory level in memory, on which a piece of protocol is run to its end: just enough to look at bad input many times a second. */

import { dirname } from 'node:path'
import type { Operation, ProcessState, Protocol } from '../../src/protocol/operations.js'
import type { SessionOwner } from '../../src/protocol/record.js'

export type Node =
  | { type: 'file'; text: string; uid: number; modifiedMs: number }
  | { type: 'symlink'; target: string; uid: number }
  | { type: 'directory'; uid: number; modifiedMs: number }

export interface World {
  /** By absolute path. */
  nodes: Map<string, Node>
  /** What this machine's clock says; goes on a little with each question. */
  ownMs: number
  processes(pid: number): ProcessState
  uid: number
  /** Every operation that was asked for. */
  asked: Operation[]
}

export const OWN_UID = 1000

/** The process that the pieces of protocol are run for. */
export const ME: SessionOwner = {
  host: 'here',
  bootId: 'boot',
  pidNamespace: 'pids',
  pid: 77,
  startTime: '5',
  timeNamespace: 'time',
  userNamespace: 'users',
  uid: OWN_UID,
  user: 'ann',
}

const READ_BYTES_MAX = 4096
/** A process that asks for more does not end. */
const OPERATIONS_MAX = 500

export function newWorld(): World {
  const nodes = new Map<string, Node>([['/dir', { type: 'directory', uid: 0, modifiedMs: 0 }]])
  return { nodes, ownMs: 1000, processes: () => 'alive', uid: OWN_UID, asked: [] }
}

export function run<Result>(world: World, protocol: Protocol<Result>): Result {
  let step = protocol.next()
  for (let count = 0; !step.done; count++) {
    if (count > OPERATIONS_MAX) throw new Error('The protocol asks for more and more')
    world.asked.push(step.value)
    step = protocol.next(perform(world, step.value))
  }
  return step.value
}

const ok = (value?: unknown) => ({ ok: true, value })
const fail = (code: string) => ({ ok: false, code })
let names = 0

function perform(world: World, operation: Operation): unknown {
  switch (operation.op) {
    case 'clock':
      world.ownMs += 0.001
      return { ownMs: world.ownMs, wallMs: world.ownMs }
    case 'name':
      return (names++).toString(16).padStart(16, 'f')
    case 'process':
      return world.processes(operation.pid)
    case 'lease':
      return 1000
    case 'wanted':
      return true
    case 'list':
      return list(world, operation.path)
    case 'read':
    case 'readlink':
    case 'stat':
      return look(world, operation.op, operation.path)
    case 'locked':
      return false
    case 'hold':
    case 'keep':
    case 'overwrite':
    case 'drop':
      throw new TypeError(`Expected an operation of link-based locks, got ${operation.op}`)
    default:
      return change(world, operation)
  }
}

function list({ nodes }: World, path: string) {
  const type = nodes.get(path)?.type
  if (type !== 'directory') return fail(type === undefined ? 'ENOENT' : 'ENOTDIR')
  const within = [...nodes.keys()].filter((name) => name.startsWith(`${path}/`))
  return ok(within.map((name) => name.slice(path.length + 1)).filter((name) => !name.includes('/')))
}

function look({ nodes }: World, op: 'read' | 'readlink' | 'stat', path: string) {
  const node = nodes.get(path)
  if (node === undefined) return fail('ENOENT')
  if (op === 'stat') {
    const modifiedMs = node.type === 'symlink' ? 0 : node.modifiedMs
    const times = { modifiedMs, changedMs: modifiedMs, bornMs: null }
    return ok({ dev: 1, ino: 1, uid: node.uid, type: node.type, mode: 0o644, links: 1, ...times })
  }
  if (op === 'readlink') return node.type === 'symlink' ? ok(node.target) : fail('EINVAL')
  if (node.type !== 'file') return fail(node.type === 'symlink' ? 'ELOOP' : 'EINVAL')
  return ok({ text: Buffer.from(node.text).subarray(0, READ_BYTES_MAX).toString(), modifiedMs: node.modifiedMs, ino: 1 })
}

type Change = Extract<Operation, { op: 'link' | 'symlink' | 'rename' | 'unlink' | 'mkdir' | 'rmdir' | 'create' | 'rewrite' }>

function change(world: World, operation: Change) {
  const { nodes, uid, ownMs } = world
  switch (operation.op) {
    case 'link':
    case 'rename': {
      const from = nodes.get(operation.from)
      if (from === undefined) return fail('ENOENT')
      if (operation.op === 'link' && nodes.has(operation.to)) return fail('EEXIST')
      nodes.set(operation.to, from)
      if (operation.op === 'rename') nodes.delete(operation.from)
      return ok()
    }
    case 'symlink':
      return add(world, operation.path, { type: 'symlink', target: operation.target, uid })
    case 'mkdir':
      return add(world, operation.path, { type: 'directory', uid, modifiedMs: ownMs })
    case 'create':
      return add(world, operation.path, { type: 'file', text: operation.text, uid, modifiedMs: ownMs })
    case 'rewrite': {
      const node = nodes.get(operation.path)
      if (node === undefined) return fail('ENOENT')
      if (node.type !== 'file' || !node.text.includes(operation.expect)) return fail('EINVAL')
      node.text = operation.text
      node.modifiedMs = ownMs
      return ok({ serverMs: ownMs, dev: 1, links: 1 })
    }
    default: {
      const node = nodes.get(operation.path)
      if (node === undefined) return fail('ENOENT')
      if ((node.type === 'directory') !== (operation.op === 'rmdir')) return fail(operation.op === 'rmdir' ? 'ENOTDIR' : 'EISDIR')
      nodes.delete(operation.path)
      return ok()
    }
  }
}

function add({ nodes, ownMs }: World, path: string, node: Node) {
  if (nodes.has(path)) return fail('EEXIST')
  if (nodes.get(dirname(path))?.type !== 'directory') return fail('ENOENT')
  nodes.set(path, node)
  return ok({ serverMs: ownMs, dev: 1, links: 1 })
}
