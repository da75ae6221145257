/**
 * What the commands do, in one place, apart from their options: `--help` needs those only. The order is the one in which they
 * are packed smallest.
 */

export { holder } from './nodes/holder.js'
export { runStatus } from './status/run.js'
export { hammer } from './stress/hammer.js'
export { runConfig } from './config/run.js'
export { runDemo } from './demo/run.js'
export { runCommand } from './run/run.js'
export { runTest } from './test/run.js'
export { runPrune } from './prune/run.js'
export { runAgent, runWorker } from './agent/run.js'
export { runBreak } from './break/run.js'
export { runStress } from './stress/run.js'
export { runNodes } from './nodes/run.js'
export { runDoctor } from './doctor/run.js'
