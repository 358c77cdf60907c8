import { parseArgs } from 'node:util'
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

/** `npm run templates:list`: lists the versions of every template, or with `--template <folder or name>` of one. */
await runCommand('Usage: npm run templates:list -- [--template <folder or name>]', async (db) => {
  const { values } = parseArgs({ options: { template: { type: 'string' } } })
  const name = values.template === undefined ? null : await templateOf(values.template)
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
