import { groups } from './commands/commands.ts'
import { readArguments } from './commands/read_arguments.ts'

readArguments('help', { example: 'help' })

const width = Math.max(...Object.values(groups).flatMap((group) => Object.keys(group).map((name) => name.length)))
for (const [group, commands] of Object.entries(groups)) {
  console.log(`${group}:`)
  for (const [name, line] of Object.entries(commands)) console.log(`  npm run ${name.padEnd(width)}  ${line}`)
  console.log('')
}
console.log('For the options of a command: npm run <command> -- --help.')
