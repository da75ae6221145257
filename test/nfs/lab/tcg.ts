/**
 * Emulated PCs with a stock Debian kernel: QEMU that translates every instruction (TCG), so that it takes no KVM and no
 * privileges. The network is a hub in the server's machine, with a pair of unix sockets to each node.
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { bootOptions, cardOf } from './boot-options.js'
import { disksOf, makeDisks } from './disks.js'
import { type EmulatedPc, emulatedPc, type Kernel } from './emulated-pc.js'
import type { Hypervisor, HypervisorOptions, Launched, LaunchOptions } from './machine.js'
import type { NodeName } from './messages.js'
import { REPOSITORY } from './paths.js'
import { rootFileSystem } from './root-file-system.js'

const MEMORY_MB = 512
const DEVICES = { drive: '/dev/vd', channel: '/dev/vport0p1' }
/** The file descriptor of the command channel, in QEMU. */
const CHANNEL = 3
const CLIENTS = ['A', 'B'] as const

export class Tcg implements Hypervisor {
  readonly #options: HypervisorOptions
  readonly #root: string
  readonly #pc: EmulatedPc
  readonly #vde: string | null

  /**
   * Builds what is not built yet, which takes some minutes the first time. `vde`: the directory of a switch that the machines are
   * plugged into, instead of the hub. @throws LabError
   */
  constructor(options: HypervisorOptions, { kernel = 'stock', vde = null }: { kernel?: Kernel; vde?: string | null } = {}) {
    this.#options = options
    this.#root = rootFileSystem()
    this.#pc = emulatedPc(kernel)
    this.#vde = vde
  }

  async prepare(): Promise<void> {
    makeDisks(this.#options.run)
  }

  launch(node: NodeName, options: LaunchOptions): Launched {
    const { command, env } = this.#pc
    const [file, ...args] = command
    // Node's pipes are sockets, for both directions.
    const process_ = spawn(file, [...args, ...this.#commandLine(node, options)], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...env, TMPDIR: this.#options.run },
    })
    this.#options.book.add(node, process_.pid)
    const channel = process_.stdio[CHANNEL] as Duplex
    return { process: process_, input: channel, output: channel }
  }

  #commandLine(node: NodeName, options: LaunchOptions): string[] {
    const { run, leaseS } = this.#options
    const { kernel, initramfs, modules } = this.#pc
    const quiet = ['console=ttyS0', 'quiet', 'panic=-1']
    // What a machine that is slow, and stands still at times, must not be taken to task for.
    const patient = ['nowatchdog', 'rcupdate.rcu_cpu_stall_suppress=1', 'tsc=reliable', 'no_timer_check', 'mitigations=off']
    return [
      ...['-accel', 'tcg', '-cpu', 'max', '-machine', 'q35', '-m', String(MEMORY_MB)],
      ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
      // The first of its virtio devices: its name in the guest has the number 0.
      ...[
        '-device',
        'virtio-serial-pci',
        '-chardev',
        `socket,id=channel,fd=${CHANNEL}`,
        '-device',
        'virtserialport,chardev=channel',
      ],
      ...['-kernel', kernel, '-initrd', initramfs],
      ...['-append', [...quiet, ...patient, ...bootOptions(node, leaseS, options, DEVICES)].join(' ')],
      ...sharedDirectory('root', this.#root),
      ...sharedDirectory('modules', modules),
      ...sharedDirectory('repository', REPOSITORY),
      ...disksOf(node, run).flatMap((disk) => ['-drive', `file=${escaped(disk)},format=raw,if=virtio,cache=unsafe`]),
      ...['-device', `virtio-net-pci,netdev=card,romfile=,mac=${cardOf(node)}`],
      ...this.#network(node),
    ]
  }

  #network(node: NodeName): string[] {
    const { run } = this.#options
    if (this.#vde !== null) return ['-netdev', `vde,id=card,sock=${escaped(this.#vde)}`]
    return node === 'server' ? hub(run) : ['-netdev', wire('card', run, node, `server-${node}`)]
  }

  /** The network ends with the server's machine. */
  close(): void {}
}

/** Read-only. */
function sharedDirectory(tag: string, directory: string): string[] {
  return [
    ...['-fsdev', `local,id=${tag},path=${escaped(directory)},security_model=none,readonly=on,multidevs=remap`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ]
}

function hub(run: string): string[] {
  const wires = CLIENTS.flatMap((client) => [
    ...['-netdev', wire(`wire${client}`, run, `server-${client}`, client)],
    ...['-netdev', `hubport,id=port${client},hubid=0,netdev=wire${client}`],
  ])
  return [...wires, '-netdev', 'hubport,id=card,hubid=0']
}

/** Datagrams: what is sent to a machine that is down is lost, as on a real wire, and it may come back at any time. */
function wire(id: string, run: string, from: string, to: string): string {
  const socket = (name: string) => escaped(join(run, `${name}.wire`))
  return `dgram,id=${id},local.type=unix,local.path=${socket(from)},remote.type=unix,remote.path=${socket(to)}`
}

/** In QEMU's options a comma ends a value. */
const escaped = (path: string): string => path.replaceAll(',', ',,')
