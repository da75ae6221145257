/** What a guest is told on its kernel's command line, for guest/boot.sh. */

import type { LaunchOptions } from './machine.js'
import { NODES, type NodeName } from './messages.js'
import { ADDRESSES } from './root-file-system.js'

/** What differs between the kinds of machines. */
export interface Devices {
  /** The drives are this and a letter. */
  drive: string
  /** The command channel. */
  channel: string
}

export function bootOptions(node: NodeName, leaseS: number, { recover }: LaunchOptions, { drive, channel }: Devices): string[] {
  return [
    ...[`lab.role=${node}`, `lab.address=${ADDRESSES[node]}`, `lab.lease=${leaseS}`],
    ...[`lab.drive=${drive}`, `lab.channel=${channel}`],
    ...(recover ? ['lab.recover=1'] : []),
  ]
}

/** The address of a machine's network card. */
export const cardOf = (node: NodeName): string => `52:54:00:99:00:0${NODES.indexOf(node) + 1}`
