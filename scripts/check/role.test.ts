import { expect, test } from 'vitest'
import { checkRole, findRoleChanges } from './role.ts'

const inSql = (text: string) => findRoleChanges({ path: 'a.sql', text })
const gate = {
  path: 'db/modules/00_base/become_key_owner.sql',
  text: "perform set_config('role', 'authenticated', true);",
}

test('finds a change of role, except in comments', () => {
  expect(inSql("-- set_config('role', …)\nperform\n  SET_CONFIG (\n 'Role', v_role, true);")).toEqual({
    changes: ['a.sql:3'],
    problems: [],
  })
})

test('accepts any other setting that is written out', () => {
  expect(inSql("perform set_config('response.headers', v_text, true)")).toEqual({ changes: [], problems: [] })
  for (const hidden of [
    'set_config(v_name, v_value, true)',
    "set_config('ro' || 'le', 'postgres', true)",
    "set_config(setting_name => 'role', new_value => v, is_local => true)",
    'pg_catalog."set_config"(\'role\', v, true)',
    "set_config /* a */ (E'role', v, true)",
  ])
    expect(inSql(`select ${hidden};`).problems, hidden).toEqual(['a.sql:1: set_config needs its setting written out'])
})

test('statements and settings of functions are found', () => {
  for (const text of [
    'set role service_role;',
    'set  local\nrole anon;',
    "create function a() returns void language sql set role = 'postgres' as ''",
    'set session authorization postgres;',
    "select set_config('session_authorization', 'postgres', true)",
  ])
    expect(inSql(text).problems, text).toHaveLength(1)
  expect(inSql('set search_path = app; alter role worker set statement_timeout = 1; reset role').problems).toEqual([])
})

test('the gate must do it, once, and nothing else may', () => {
  expect(checkRole([gate]).problems).toEqual([])
  expect(checkRole([]).problems).toHaveLength(1)
  expect(checkRole([gate, gate]).problems).toHaveLength(1)
  expect(checkRole([gate, { ...gate, path: 'a.sql' }]).problems).toHaveLength(1)
})
