/** The public surface of mountlock, nothing else. */

export { type Diagnostic, formatDiagnostic } from './config/diagnostics.js'
export { type LoadConfigOptions, type LoadedConfig, loadConfig } from './config/load.js'
export {
  AbortError,
  AdvisoryUnavailableError,
  ConfigError,
  ForeignLockError,
  InvalidArgumentError,
  LockFileSystemError,
  LockLostError,
  LockTimeoutError,
  type LostReason,
  MountChangedError,
  MountlockError,
  UnsupportedPlatformError,
} from './errors.js'
export { createLocker } from './locker/locker.js'
export type { LockEvent, LockEventName } from './log/events.js'
export type {
  AcquireOptions,
  AcquireSyncOptions,
  AdvisoryCall,
  AdvisoryKind,
  Holder,
  Inspection,
  Lock,
  Locker,
  LockerOptions,
  LockerSettings,
  LockType,
  ReleaseResult,
  TryAcquireOptions,
} from './types.js'
