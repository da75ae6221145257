/** The machines of one lab, for all that ask for them: the server boots first, then the nodes. */

import type { GuestMessage, Hypervisor } from './machine.js'
import { Machine } from './machine.js'
import { type LabStatus, NODES, type NodeName, type ProgramInput, type ProgramOutput } from './messages.js'
import { runFiles } from './paths.js'

type Listener = (output: ProgramOutput) => void

export class Lab {
  readonly #hypervisor: Hypervisor
  readonly #machines: Record<NodeName, Machine>
  readonly #programs = new Map<number, { node: NodeName; listener: Listener }>()
  #programCount = 0

  constructor(hypervisor: Hypervisor, run: string) {
    this.#hypervisor = hypervisor
    const machine = (node: NodeName) =>
      new Machine(node, hypervisor, runFiles(run).console(node), {
        onMessage: (message) => this.#hear(message),
        onEnd: (why) => this.#forget(node, why),
      })
    this.#machines = Object.fromEntries(NODES.map((node) => [node, machine(node)])) as Record<NodeName, Machine>
  }

  machine(node: NodeName): Machine {
    return this.#machines[node]
  }

  /** Boots the server and so many nodes. */
  async up(clients: number): Promise<void> {
    await this.#hypervisor.prepare()
    await Promise.all(NODES.slice(0, 1 + clients).map((node) => this.#machines[node].start({ recover: false })))
  }

  async down(): Promise<void> {
    await Promise.all(NODES.map((node) => this.#machines[node].kill()))
    this.#hypervisor.close()
  }

  /** Starts a program in a guest; the returned function talks to it. */
  run(node: NodeName, program: ProgramInput & { op: 'spawn' }, listener: Listener): (input: ProgramInput) => void {
    const machine = this.#machines[node]
    if (machine.state === 'down' || machine.state === 'booting') {
      listener({ error: `Node ${node} is ${machine.state}${machine.whyDown && `: ${machine.whyDown}`}` })
      return () => {}
    }
    const id = ++this.#programCount
    this.#programs.set(id, { node, listener })
    machine.send({ id, ...program })
    return (input) => machine.send({ ...input, id })
  }

  #hear(message: GuestMessage): void {
    if ('hello' in message) return
    const { id, ...output } = message
    const program = this.#programs.get(id as number)
    if ('exit' in output || 'error' in output) this.#programs.delete(id as number)
    program?.listener(output as unknown as ProgramOutput)
  }

  #forget(ended: NodeName, why: string): void {
    for (const [id, { node, listener }] of this.#programs) {
      if (node !== ended) continue
      this.#programs.delete(id)
      listener({ error: `Node ${node} went away: ${why}` })
    }
  }

  status(): LabStatus {
    const describe = ({ state, pid, bootMs }: Machine) => ({ state, pid, bootMs })
    const nodes = Object.fromEntries(NODES.map((node) => [node, describe(this.#machines[node])]))
    return { nodes: nodes as LabStatus['nodes'] }
  }
}
