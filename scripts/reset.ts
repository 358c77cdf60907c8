import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments } from './commands/read_arguments.ts'
import { homeFolder } from './local/home.ts'
import { claimHome, explain, stopStale } from './local/process.ts'

readArguments('reset', { environment: ['PLINTH_HOME'], example: 'reset' })

const home = homeFolder()
try {
  claimHome(home)
  for (const name of await stopStale(home)) console.log(`Stopped ${name}, which an earlier run left behind.`)
  // Other files in the home stay.
  for (const part of ['postgres', 'objects', 'logs', 'cache', 'env', 'secrets.json', 'ports.json', 'run']) {
    rmSync(join(home, part), { recursive: true, force: true })
  }
  console.log(`Emptied ${home}.`)
} catch (error) {
  console.error(explain(error, home))
  process.exit(1)
}
