import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { closeFolder } from '../home.ts'

/** A mail that the rules ask for. `notice` has no code. */
export type Mail = {
  kind: 'confirmation' | 'magic_link' | 'recovery' | 'email_change' | 'invite' | 'reauthentication' | 'notice'
  to: string
  code: string | null
  /**
   * When the rules made the code, to the microsecond. The rules hold the lock of the user at this moment, so the mail with
   * the latest time has the code that works.
   */
  made_at: string
}

/** A mail as a person reads it. */
export type ReadMail = { to: string; subject: string; date: string; text: string }

/** Writes each mail as a file. */
export type Mailbox = { send(mail: Mail): Promise<void> }

const purposes: Record<Exclude<Mail['kind'], 'notice'>, string> = {
  confirmation: 'confirm your address',
  magic_link: 'sign in',
  recovery: 'set a new password',
  email_change: 'confirm the change of your address',
  invite: 'accept your invitation',
  reauthentication: 'confirm that it is you',
}

/**
 * Opens a folder in which each mail becomes a file. Nothing leaves this machine. About `kept` mails stay: older files are
 * deleted, because anybody can cause a mail.
 */
export function openMailbox(folder: string, say: (line: string) => void, kept = 1000): Mailbox {
  closeFolder(folder)
  let sent = 0
  let untilPruned = 0
  return {
    async send(mail) {
      const { subject, text } = write(mail)
      const id = randomBytes(6).toString('hex')
      // Sorts mails by the time of their codes, because parallel requests write their mails in any order.
      const name = `${mail.made_at.replaceAll(':', '-')}_${String(++sent).padStart(9, '0')}.eml`
      const lines = [
        'From: Plinth <auth@localhost>',
        `To: ${mail.to}`,
        `Subject: ${subject}`,
        `Date: ${new Date(mail.made_at).toUTCString().replace('GMT', '+0000')}`,
        `Message-ID: <${id}@localhost>`,
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        '',
        text,
        '',
      ]
      // Under another name until it is whole, so no reader sees half of a mail.
      await writeFile(join(folder, `.${id}`), lines.join('\r\n'), { mode: 0o600 })
      await rename(join(folder, `.${id}`), join(folder, name))
      say(`Mail to ${mail.to}: ${mail.code ? `code ${mail.code} (${mail.kind})` : subject}`)
      if (untilPruned-- > 0) return
      untilPruned = kept / 10
      for (const old of list(folder).slice(kept)) await rm(join(folder, old), { force: true })
    },
  }
}

/** Reads the newest mails of a folder, newest first. */
export async function readMails(folder: string, limit: number): Promise<ReadMail[]> {
  const texts = await Promise.all(
    list(folder)
      .slice(0, limit)
      // The file may have been deleted since.
      .map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  )
  return texts.filter((text) => text !== '').map(parse)
}

function list(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.eml'))
    .sort()
    .reverse()
}

function parse(text: string): ReadMail {
  const end = text.indexOf('\r\n\r\n')
  const headers = new Map(
    text
      .slice(0, end)
      .split('\r\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  return {
    to: headers.get('To') ?? '',
    subject: headers.get('Subject') ?? '',
    date: headers.get('Date') ?? '',
    text: text.slice(end + 4).trim(),
  }
}

function write({ kind, code }: Mail): { subject: string; text: string } {
  if (kind === 'notice') {
    return {
      subject: 'You already have an account',
      text: 'Somebody signed up with your address. You already have an account: sign in, or reset your password.',
    }
  }
  return {
    subject: `Your code is ${code}`,
    text: `${code}\r\n\r\nEnter this code to ${purposes[kind]}. The code works for one hour.`,
  }
}
