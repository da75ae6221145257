/**
 * What the commands do, in one place, apart from their options: `--help` needs those only. The order is the one in which they
 * are packed smallest.
 */

export { holder } from './nodes/holder.js'
export { runStatus } from './status/status.js'
export { hammer } from './stress/hammer.js'
export { runConfig } from './config/config.js'
export { runDemo } from './demo.js'
export { runCommand } from './run/run.js'
export { runTest } from './test.js'
export { runPrune } from './maintain/prune.js'
export { runAgent, runWorker } from './remote/agent.js'
export { runBreak } from './maintain/break.js'
export { runStress } from './stress/stress.js'
export { runNodes } from './nodes/nodes.js'
export { runDoctor } from './doctor/doctor.js'
