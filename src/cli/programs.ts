/**
 * What the commands do, in one place: a command imports it when it is chosen. One file is loaded faster than the twenty small ones
 * that a bundler would cut out of a graph with a dozen entries, and it is packed smaller.
 */

export { runConfig } from './config/config.js'
export { runDemo } from './demo.js'
export { runDoctor } from './doctor/doctor.js'
export { runBreak } from './maintain/break.js'
export { runPrune } from './maintain/prune.js'
export { holder } from './nodes/holder.js'
export { runNodes } from './nodes/nodes.js'
export { runAgent, runWorker } from './remote/agent.js'
export { runCommand } from './run/run.js'
export { runStatus } from './status/status.js'
export { hammer } from './stress/hammer.js'
export { runStress } from './stress/stress.js'
export { runTest } from './test.js'
