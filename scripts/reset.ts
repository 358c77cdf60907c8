import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments } from './commands/read_arguments.ts'
import { homeFolder } from './local/home.ts'
import { claimHome, explain, stopStale } from './local/process.ts'

readArguments('reset', { environment: ['PLINTH_HOME'], example: 'reset' })

const home = homeFolder()
const data = ['postgres', 'objects', 'storage', 'mail']
const parts = [...data, 'logs', 'cache', 'env', 'secrets.json', 'ports.json', 'run', 'restart']
if (!parts.some((part) => existsSync(join(home, part)))) {
  console.log(`${home} holds no data of a local stack: nothing to delete.`)
  process.exit(0)
}
try {
  claimHome(home)
  for (const name of await stopStale(home)) console.log(`Stopped ${name}, which an earlier start left running.`)
  // Other files in the home stay.
  for (const part of parts) rmSync(join(home, part), { recursive: true, force: true })
  console.log(`Deleted the data, logs and secrets of the local stack in ${home}.`)
} catch (error) {
  console.error(explain(error, home))
  process.exit(1)
}
