import { readArguments } from './commands/read_arguments.ts'
import { runCommand, templateOf } from './templates/publish.ts'

type Row = {
  template: string
  version: string
  status: string
  is_default: boolean
  channels: string | null
  files: string
  created_at: Date
}

const { options } = readArguments('templates:list', {
  options: { template: { type: 'string', value: 'folder or name', about: 'the versions of this template alone' } },
  environment: ['DATABASE_URL', 'PLINTH_HOME'],
  example: 'templates:list -- --template section7',
})

await runCommand(async (db) => {
  const name = options.template === undefined ? null : await templateOf(options.template)
  const rows = await db.call<Row>('app.list_template_versions', { name })
  if (rows.length === 0) {
    const what = name === null ? 'No template is published.' : `Template ${name} has no versions.`
    console.log(`${what} Publish a bundle: npm run upload-bundle -- --template <folder>`)
    return
  }
  const lines = [
    ['TEMPLATE', 'VERSION', 'STATUS', 'DEFAULT', 'CHANNELS', 'FILES', 'SINCE'],
    ...rows.map((row) => [
      row.template,
      row.version,
      row.status,
      row.is_default ? 'yes' : '',
      row.channels ?? '',
      row.files,
      row.created_at.toISOString().slice(0, 16).replace('T', ' '),
    ]),
  ]
  const widths = lines[0]?.map((_cell, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
})
