/** The kinds of machines that a lab can be made of. */

import type { Hypervisor, HypervisorOptions } from './machine.js'
import { Mixed } from './mixed.js'
import { Tcg } from './tcg.js'
import { LabError } from './tools.js'
import { Uml } from './uml.js'

export const ACCELERATORS = {
  uml: { inWords: 'User-mode Linux', make: (options: HypervisorOptions): Hypervisor => new Uml(options) },
  mixed: {
    inWords: 'User-mode Linux, and Debian kernels in QEMU without KVM',
    make: (options: HypervisorOptions): Hypervisor => new Mixed(options),
  },
  tcg: { inWords: 'stock Debian kernel, QEMU without KVM', make: (options: HypervisorOptions): Hypervisor => new Tcg(options) },
}
export type Accelerator = keyof typeof ACCELERATORS

/** @throws LabError if there is none */
export function acceleratorNamed(name: string): Accelerator {
  if (Object.hasOwn(ACCELERATORS, name)) return name as Accelerator
  throw new LabError(`Expected --accel ${Object.keys(ACCELERATORS).join(', ')}, got "${name}"`)
}
