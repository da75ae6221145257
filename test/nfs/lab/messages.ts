/** What the lab's daemon, its clients and the guests say to each other: JSON, one object per line, bytes in base64. */

/** A lab boots the server and the first two of the others, or as many as were asked for. */
export const NODES = ['server', 'A', 'B', 'C', 'D'] as const
export const CLIENTS_MAX = NODES.length - 1
export type NodeName = (typeof NODES)[number]

export interface Program {
  argv: string[]
  cwd?: string
  env?: Record<string, string>
}

/** To a program that runs in a guest. */
export type ProgramInput =
  ({ op: 'spawn' } & Program) | { op: 'stdin'; data: string } | { op: 'stdin-end' } | { op: 'signal'; signal: NodeJS.Signals }

/** From it. The last one is `exit` or `error`. */
export type ProgramOutput =
  { stdout: string } | { stderr: string } | { exit: { code: number | null; signal: NodeJS.Signals | null } } | { error: string }

export type MachineOperation = 'start' | 'kill' | 'pause' | 'resume'

export type Request = { id: number } & (
  | (ProgramInput & { node: NodeName })
  | { op: MachineOperation; node: NodeName; recover?: boolean }
  | { op: 'status' }
  /** The lab goes down when this client's connection ends, however it ends. */
  | { op: 'own' }
  /** Answered when every client that asked before has ended its connection. */
  | { op: 'claim' }
  | { op: 'down' }
)

export interface LabStatus {
  nodes: Record<NodeName, { state: MachineState; pid: number | null; bootMs: number | null }>
}

export type MachineState = 'down' | 'booting' | 'up' | 'paused'

export type Reply = { id: number } & ({ done: LabStatus | null } | ProgramOutput)

/** Calls `onMessage` with each line of a stream. Lines that are no JSON are noise of a console, and skipped. */
export function messageReader(onMessage: (message: unknown) => void): (data: Buffer) => void {
  let rest = ''
  return (data) => {
    const lines = (rest + data.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      let message: unknown
      try {
        message = JSON.parse(line)
      } catch {
        continue
      }
      onMessage(message)
    }
  }
}
