/** How the agent is started behind ssh, and what to say when it is not. */

import { printable } from '../../log/printable.js'
import { NO_AGENTS, NO_ANSWER, RemoteError } from './lines.js'

const NO_NODE = 'locktester-agent: no node here'
const NO_PROGRAM = 'locktester-agent: no locktester here'

/**
 * The command line for the remote shell, whichever that is: one word, in quotes that every shell knows. Without a command
 * of the user's own it is `locktester` from the PATH there, or else the same file as here, which a shared home directory may
 * have.
 */
export function remoteScript(remoteCommand: string | undefined, program: string): string {
  if (remoteCommand !== undefined) return `exec ${remoteCommand} agent`
  const script = [
    'if command -v locktester >/dev/null 2>&1; then exec locktester agent; fi',
    `if ! command -v node >/dev/null 2>&1; then echo "${NO_NODE}" >&2; exit 127; fi`,
    `if [ -f ${quoted(program)} ]; then exec node ${quoted(program)} agent; fi`,
    `echo "${NO_PROGRAM}" >&2; exit 127`,
  ].join('; ')
  return `exec sh -c ${quoted(script)}`
}

export interface LaunchFailure {
  host: string
  /** How the host is reached: `ssh`, or what the user named in its place. */
  sshCommand: string
  /** What the user named in the place of our own look for `locktester` there. */
  remoteCommand: string | undefined
  /** Of `sshCommand`: 255 is ssh's own, the others come from over there. */
  exitCode: number | null
  stderr: string
  error: Error
}

export function explainFailure({ host, sshCommand, remoteCommand, exitCode, stderr, error }: LaunchFailure): string {
  const reach = `${sshCommand} ${host} true`
  const said = stderr.trim() === '' ? '' : `\n  it said: ${stderr.trim().split('\n').map(printable).join('\n           ')}`
  const how = 'Or say where it is: --remote-command "/opt/node/bin/node /opt/mountlock/bin/locktester".'
  if (error instanceof RemoteError && NO_AGENTS.includes(error.code)) return `${host}: ${printable(error.message)}.${said}`
  if (error instanceof RemoteError && error.code === NO_ANSWER) {
    const next = host === 'local' ? 'Try again when this machine is less busy' : `Try how long this takes: ${reach}`
    return `${printable(error.message)}: it is too slow, or something there waits for an answer. ${next}${said}`
  }
  if (host === 'local') return `local: the agent did not start (${printable(error.message)})${said}`
  if (stderr.includes(NO_NODE)) return `${host}: there is no Node in the PATH there. Install Node 20.19 or newer. ${how}`
  if (stderr.includes(NO_PROGRAM))
    return `${host}: the package is not there: npm install --global mountlock --allow-scripts=fs-ext. ${how}`
  if (exitCode === 255) return `${host}: ssh could not connect. It must not ask for a password: ${reach}${said}`
  // Our own look there says what it does not find. The shell here gives the same code where it finds no ssh.
  if (exitCode === 127 && remoteCommand === undefined)
    return `${host}: there is probably no such command here: ${sshCommand}${said}`
  if (exitCode === 127)
    return `${host}: the command of --remote-command is not there, or there is none here that is called ${sshCommand}${said}`
  if (exitCode === 64) return `${host}: the locktester there knows no agent: install the same version on all nodes.${said}`
  return `${host}: the agent did not start (${exitCode === null ? printable(error.message) : `exit code ${exitCode}`}). ${how}${said}`
}

/** For sh, csh and fish alike. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
