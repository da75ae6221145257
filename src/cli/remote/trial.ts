/** What `nodes` and `stress` have in common: the intervals to try with, how they end, and what they say of a failure. */

import type { LoadedConfig } from '../../config/load.js'
import { EXIT } from '../shared/exit-codes.js'
import { endProcess, Interrupt, Interrupted } from '../shared/interrupt.js'
import { messageOf, Printer } from '../shared/output.js'
import { loadNamedConfig, refuseErrors } from '../shared/settings.js'
import { cleanUpAtLast, explainUnexpected } from '../shared/unexpected.js'
import { RemoteError } from './lines.js'

/** Brisk, so that a takeover does not take long; not so brisk that a busy node looks dead. */
const BRISK = { refreshRateMs: 1000, timeoutIntervalMs: 3000 }

export interface RemoteTrial {
  /** @returns the exit code @throws Interrupted */
  run(): Promise<number>
  /** However it ended: the agents are told to end and to clean up. */
  end(): Promise<void>
}

interface TrialOptions {
  config: string | undefined
  json: boolean
  quiet: boolean
}

/** Runs it and ends the process. */
export async function runTrial(
  options: TrialOptions,
  create: (config: LoadedConfig, interrupt: Interrupt, printer: Printer) => RemoteTrial,
): Promise<void> {
  const config = loadNamedConfig(options.config)
  const refusal = options.config === undefined ? null : refuseErrors(config)
  if (refusal !== null) return endProcess(refusal)
  if (options.config === undefined) Object.assign(config.settings, BRISK)
  const interrupt = new Interrupt({ needsReader: false }) // what it says comes at its end
  const printer = new Printer(options)
  const trial = create(config, interrupt, printer)
  cleanUpAtLast(() => trial.end())
  let code: number = EXIT.cannotLock
  try {
    code = await trial.run()
  } catch (error) {
    if (error instanceof Interrupted) printer.error('interrupted: nothing was judged')
    else code = explain(error, printer)
  }
  await trial.end()
  await interrupt.end(code)
}

/** @returns the exit code */
function explain(error: unknown, printer: Printer): number {
  if (!(error instanceof RemoteError)) return explainUnexpected(error)
  printer.error(messageOf(error))
  return EXIT.cannotLock
}
