import type pg from 'pg'
import type { Caller } from '../database.ts'
import type { Objects } from '../types.ts'
import type { Payload } from './payload.ts'
import type { Target } from './target.ts'

/** A request whose signature is right. */
export type S3Request = {
  method: string
  target: Target
  headers: ReadonlyMap<string, string>
  caller: Caller
  /** Opens the body, which is verified while it is read. */
  open(): Payload
}

/** The parts of the local Storage that operations use. */
export type S3Context = { objects: Objects; pool: pg.Pool; region: string }
