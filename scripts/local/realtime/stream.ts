import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from 'pg-logical-replication'
import type { Row } from './values.ts'

/** A column of a published table when a row was written. */
export type ChangedColumn = { name: string; typeId: number; isIdentity: boolean }

/** A table as pgoutput announces it: at its first change, and again after the table or its grants have changed. */
export type Relation = { id: number; columns: ChangedColumn[] }

/** A committed change of a row. */
export type Change = {
  type: 'INSERT' | 'UPDATE' | 'DELETE'
  relation: Relation
  /** The row after the change; null for a DELETE. */
  record: Row | null
  /** The replica identity before the change: the primary key, or the whole row; null for an INSERT. */
  identity: Row | null
  /** The transaction of the change, and the time of its commit. */
  xid: number
  committedAt: Date
  bytes: number
}

/** A stream of changes from logical replication. */
export type Stream = {
  /** Stops reading, so that Postgres keeps the remaining changes. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

export type StreamOptions = {
  /** The connection of a role that may replicate. */
  connection: pg.ClientConfig
  publication: string
  slot: string
  onRelation(relation: Relation): void
  onChange(change: Change): void
  /** The stream has ended by itself. */
  onEnd(error: Error): void
}

/** Opens a temporary slot, which ends with its connection, and reads the changes that are committed from now on, in order. */
export async function openStream(options: StreamOptions): Promise<Stream> {
  const service = new LogicalReplicationService(
    { ...options.connection, application_name: 'realtime_replication' },
    // Received changes are acknowledged at once, because the slot ends with the connection.
    { acknowledge: { auto: false, timeoutSeconds: 0 } },
  )
  const plugin = new TextPlugin(options.publication)
  const read = createReader(options)
  let lastLsn: string | undefined
  let isStopped = false
  service.on('data', (lsn, message: Pgoutput.Message) => {
    lastLsn = lsn
    if (!isStopped) read(message)
  })
  service.on('heartbeat', (lsn, _time, shouldRespond) => {
    lastLsn = lsn
    if (shouldRespond) void service.acknowledge(before(lsn))
  })
  // More often than wal_sender_timeout, also while the stream is paused.
  const timer = setInterval(() => lastLsn && void service.acknowledge(before(lastLsn)), 5000).unref()
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    clearInterval(timer)
    plugin.socket?.resume()
    // A connection that hangs is cut.
    const ended = service.destroy().catch(() => {})
    await Promise.race([ended, sleep(2000, undefined, { ref: false }).then(() => plugin.socket?.destroy())])
  }

  let isStarted = false
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) => {
      const isOurs = isStopped
      void stop()
      if (!isStarted) reject(error)
      else if (!isOurs) options.onEnd(error)
    }
    service.on('start', () => {
      isStarted = true
      resolve()
    })
    service.on('error', fail)
    service.subscribe(plugin, options.slot).then(() => fail(new Error('The replication has ended.')), fail)
  })
  return { pause: () => plugin.socket?.pause(), resume: () => plugin.socket?.resume(), stop }
}

/**
 * The position before this one. The library acknowledges the position after the given one, and a Postgres that stops would
 * wait for the exact one.
 */
function before(lsn: string): string {
  const [high = '0', low = '0'] = lsn.split('/')
  const position = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) - 1n
  return position < 0n ? lsn : `${(position >> 32n).toString(16)}/${(position & 0xffffffffn).toString(16)}`
}

/** Creates its slot on its own connection, and keeps values as Postgres's text. */
class TextPlugin extends PgoutputPlugin {
  socket: Pick<Socket, 'pause' | 'resume' | 'destroy'> | undefined

  constructor(publication: string) {
    super({ protoVersion: 1, publicationNames: [publication] })
  }

  override async start(client: pg.Client, slotName: string, lsn: string) {
    this.socket = (client as unknown as { connection: { stream: TextPlugin['socket'] } }).connection.stream
    await client.query(`CREATE_REPLICATION_SLOT ${slotName} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')`)
    return super.start(client, slotName, lsn)
  }

  override parse(buffer: Buffer) {
    const message = super.parse(buffer) as Pgoutput.Message
    if (message.tag === 'relation') for (const column of message.columns) column.parser = (text: string) => text
    return message
  }
}

/** Returns a function that turns messages of pgoutput into changes. */
function createReader({ onRelation, onChange }: StreamOptions): (message: Pgoutput.Message) => void {
  const relations = new Map<number, Relation>()
  let committedAt = new Date()
  let xid = 0

  function relationOf({ relationOid }: Pgoutput.MessageRelation): Relation {
    const relation = relations.get(relationOid)
    if (!relation) throw new Error(`Postgres did not announce table ${relationOid}.`)
    return relation
  }

  return (message) => {
    switch (message.tag) {
      case 'begin':
        xid = message.xid >>> 0
        committedAt = new Date(Number(BigInt(message.commitTime.toString()) / 1000n))
        return
      case 'relation': {
        const columns = message.columns.map(({ name, typeOid, flags }) => ({
          name,
          typeId: typeOid,
          isIdentity: (flags & 1) === 1,
        }))
        const relation = { id: message.relationOid, columns }
        relations.set(relation.id, relation)
        onRelation(relation)
        return
      }
      case 'insert':
      case 'update':
      case 'delete': {
        const relation = relationOf(message.relation)
        const record = message.tag === 'delete' ? null : toRow(message.new)
        const old = message.tag === 'insert' ? null : (message.old ?? message.key)
        const identity = message.tag === 'insert' ? null : identityOf(relation, old && toRow(old), record)
        const type = message.tag.toUpperCase() as Change['type']
        onChange({ type, relation, record, identity, xid, committedAt, bytes: sizeOf(record) + sizeOf(identity) })
      }
    }
  }
}

function toRow(tuple: Record<string, unknown>): Row {
  const row: Row = new Map()
  for (const name in tuple) {
    const value = tuple[name]
    if (value !== undefined) row.set(name, value as string | null)
  }
  return row
}

/** The old identity, which an UPDATE that does not change it does not repeat. */
function identityOf({ columns }: Relation, old: Row | null, record: Row | null): Row {
  const source = old ?? record
  const identity: Row = new Map()
  for (const { name, isIdentity } of columns) {
    const value = source?.get(name)
    if (isIdentity && value !== undefined) identity.set(name, value)
  }
  return identity
}

function sizeOf(row: Row | null): number {
  let bytes = 0
  if (row) for (const [name, value] of row) bytes += name.length + (value?.length ?? 4)
  return bytes
}
