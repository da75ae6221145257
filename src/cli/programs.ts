/**
 * What the commands do, in one place: a command imports it when it is chosen. One file is loaded faster than the twenty small ones
 * that a bundler would cut out of a graph with a dozen entries, and it is packed smaller; smallest in this order.
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
