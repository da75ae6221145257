/**
 * Different kernels on one network: the server and node A are User-mode Linux, node B is an emulated PC with a newer kernel, and the
 * others are emulated PCs with the stock one. They are plugged into a switch that both know.
 */

import type { Hypervisor, HypervisorOptions, Launched, LaunchOptions } from './machine.js'
import type { NodeName } from './messages.js'
import { Switch, vdeDirectory } from './switches.js'
import { Tcg } from './tcg.js'
import { Uml } from './uml.js'

export class Mixed implements Hypervisor {
  readonly #uml: Uml
  readonly #newer: Tcg
  readonly #stock: Tcg

  /** Builds what is not built yet, which takes some minutes the first time. @throws LabError */
  constructor(options: HypervisorOptions) {
    const vde = vdeDirectory(options.run)
    this.#uml = new Uml(options, Switch.vde(options.run))
    this.#newer = new Tcg(options, { kernel: 'newer', vde })
    this.#stock = new Tcg(options, { kernel: 'stock', vde })
  }

  /** Disks are the same for all kinds of machines. */
  prepare(): Promise<void> {
    return this.#uml.prepare()
  }

  launch(node: NodeName, options: LaunchOptions): Launched {
    return this.#of(node).launch(node, options)
  }

  #of(node: NodeName): Hypervisor {
    if (node === 'server' || node === 'A') return this.#uml
    return node === 'B' ? this.#newer : this.#stock
  }

  close(): void {
    this.#uml.close()
  }
}
