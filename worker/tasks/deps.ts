import type { UserBuckets } from '../adapters/user_files.ts'
import type { Db } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import type { Pump } from '../steps/pump.ts'

/** The services that tasks need. */
export type Deps = {
  db: Db
  /** The store of assets. */
  store: Store
  /** The store of published templates; undefined where none is configured. */
  templateStore: Store | undefined
  /** The pump of this process, which runs the steps of runs. */
  pump: Pump
}

/** The services of tasks that delete files of users. */
export type StorageDeps = {
  db: Db
  /** The buckets of users' files. */
  buckets: UserBuckets
}
