import { join } from 'node:path'
import type { Companion } from '../local/foreground.ts'
import { homeFolder } from '../local/home.ts'
import { followLog } from './follow_log.ts'
import { watchDatabase } from './watch_database.ts'

/** Applies changed SQL files and prints warnings of worker and sidecar while a stack runs. */
export const accompany: Companion = ({ env }, say) => {
  const logs = join(homeFolder(), 'logs')
  const following = ['worker', 'sidecar'].map((name) =>
    followLog(join(logs, `${name}.log`), (line) => say(`${name}: ${line}`)),
  )
  const watching = watchDatabase(env['DATABASE_URL'] ?? '', say)
  return async () => {
    for (const stop of following) stop()
    await watching()
  }
}
