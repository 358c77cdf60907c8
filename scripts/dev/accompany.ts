import { join } from 'node:path'
import type { Companion } from '../local/foreground.ts'
import { homeFolder } from '../local/home.ts'
import { describeFault, describeLine, followLog } from './follow_log.ts'
import { watchCode } from './watch_code.ts'
import { watchDatabase } from './watch_database.ts'

/** Applies changed code and SQL files, and prints warnings of worker and sidecar and faults of callbacks, while a stack runs. */
export const accompany: Companion = (stack, say) => {
  const logs = join(homeFolder(), 'logs')
  const endings = [
    ...['worker', 'sidecar'].map((name) =>
      followLog(join(logs, `${name}.log`), describeLine, (line) => say(`${name}: ${line}`)),
    ),
    followLog(join(logs, 'postgres.log'), describeFault, (line) => say(`postgres: ${line}`)),
    watchCode(stack, say),
  ]
  const watching = watchDatabase(stack.env['DATABASE_URL'] ?? '', say)
  return async () => {
    for (const end of endings) end()
    await watching()
  }
}
