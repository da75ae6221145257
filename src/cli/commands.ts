/** The commands. The first is the one without a name, which users know. */

import { AGENT_COMMAND } from './agent/command.js'
import { BREAK_COMMAND } from './break/command.js'
import { CONFIG_COMMAND } from './config/command.js'
import { DEMO_COMMAND } from './demo/command.js'
import { DOCTOR_COMMAND } from './doctor/command.js'
import { NODES_COMMAND } from './nodes/command.js'
import { PRUNE_COMMAND } from './prune/command.js'
import { RUN_COMMAND } from './run/command.js'
import type { Command } from './shared/command.js'
import { STATUS_COMMAND } from './status/command.js'
import { STRESS_COMMAND } from './stress/command.js'
import { TEST_COMMAND } from './test/command.js'

export const COMMANDS: readonly Command[] = [
  TEST_COMMAND,
  DEMO_COMMAND,
  RUN_COMMAND,
  STATUS_COMMAND,
  DOCTOR_COMMAND,
  NODES_COMMAND,
  STRESS_COMMAND,
  BREAK_COMMAND,
  PRUNE_COMMAND,
  AGENT_COMMAND,
  CONFIG_COMMAND,
]
